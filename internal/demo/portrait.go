package demo

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"math/rand/v2"
)

// Size of a portrait in pixels: 3 to 4, as photos on documents are.
const portraitWidth, portraitHeight = 240, 320

// Portrait draws somebody who isn't: a plain silhouette on a coloured ground
// with the word SAMPLE across, as a JPEG of under 20 kB. The same number gives
// the same picture. No face is drawn, and none was looked at.
func Portrait(number uint64) []byte {
	r := rand.New(rand.NewPCG(number, seed))
	img := image.NewRGBA(image.Rect(0, 0, portraitWidth, portraitHeight))
	hue := r.Float64()
	ground, figure, clothes := tint(hue, 0.25, 0.95), tint(hue, 0.18, 0.62), tint(hue+0.45, 0.4, 0.55)
	draw.Draw(img, img.Bounds(), image.NewUniform(ground), image.Point{}, draw.Src)

	headW, headH := 44+8*r.Float64(), 56+8*r.Float64()
	shoulders := 94 + 20*r.Float64()
	fill(img, figure, 120, 214, 22, 36, 0)         // neck
	fill(img, clothes, 120, 322, shoulders, 88, 0) // shoulders
	fill(img, figure, 120, 142, headW, headH, 0)   // head
	hair := tint(hue+0.1, 0.2, 0.35+0.3*r.Float64())
	fill(img, hair, 120, 128-6*r.Float64(), headW+5, headH*0.9, 132-10*r.Float64())
	if r.IntN(2) == 0 { // long hair, behind the neck's sides
		fill(img, hair, 120-headW, 172, 12, 62, 0)
		fill(img, hair, 120+headW, 172, 12, 62, 0)
	}
	stamp(img, "SAMPLE", 4, 30, 286)

	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 82}); err != nil {
		panic(err) // a buffer takes everything, and the picture is of a lawful size
	}
	return b.Bytes()
}

// tint is a colour by hue (a whole turn is 1), saturation and value.
func tint(hue, saturation, value float64) color.RGBA {
	channel := func(shift float64) uint8 {
		_, f := math.Modf(hue + shift + 1)
		edge := math.Min(1, math.Max(0, math.Abs(f*6-3)-1))
		return uint8(255 * value * (1 - saturation + saturation*edge))
	}
	return color.RGBA{channel(0), channel(2.0 / 3), channel(1.0 / 3), 255}
}

// fill draws an ellipse around (x, y); with below > 0 only what lies above that
// row.
func fill(img *image.RGBA, c color.RGBA, x, y, rx, ry, below float64) {
	for py := range portraitHeight {
		if below > 0 && float64(py) > below {
			break
		}
		dy := (float64(py) - y) / ry
		if dy*dy > 1 {
			continue
		}
		half := rx * math.Sqrt(1-dy*dy)
		draw.Draw(img, image.Rect(int(x-half), py, int(x+half)+1, py+1), image.NewUniform(c), image.Point{}, draw.Src)
	}
}

// letters are those of SAMPLE, five by seven.
func letters() map[rune][7]string {
	return map[rune][7]string{
		'S': {" ### ", "#   #", "#    ", " ### ", "    #", "#   #", " ### "},
		'A': {" ### ", "#   #", "#   #", "#####", "#   #", "#   #", "#   #"},
		'M': {"#   #", "## ##", "# # #", "# # #", "#   #", "#   #", "#   #"},
		'P': {"#### ", "#   #", "#   #", "#### ", "#    ", "#    ", "#    "},
		'L': {"#    ", "#    ", "#    ", "#    ", "#    ", "#    ", "#####"},
		'E': {"#####", "#    ", "#    ", "#### ", "#    ", "#    ", "#####"},
	}
}

// stamp writes white on a dark band.
func stamp(img *image.RGBA, word string, scale, x, y int) {
	band := image.Rect(0, y-8, portraitWidth, y+7*scale+8)
	draw.Draw(img, band, image.NewUniform(color.RGBA{24, 28, 36, 255}), image.Point{}, draw.Src)
	all := letters()
	for _, l := range word {
		for row, dots := range all[l] {
			for column, dot := range dots {
				if dot == '#' {
					at := image.Rect(0, 0, scale, scale).Add(image.Pt(x+column*scale, y+row*scale))
					draw.Draw(img, at, image.White, image.Point{}, draw.Src)
				}
			}
		}
		x += 8 * scale
	}
}
