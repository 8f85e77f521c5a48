package person

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// picture is a JPEG without metadata.
func picture(t testing.TB, width, height int) []byte {
	t.Helper()
	return encode(t, image.NewGray(image.Rect(0, 0, width, height)), 80)
}

func encode(t testing.TB, img image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func noise(t testing.TB, side int) []byte {
	r, img := rand.New(rand.NewPCG(1, 2)), image.NewGray(image.Rect(0, 0, side, side))
	for i := range img.Pix {
		img.Pix[i] = byte(r.Uint32())
	}
	return encode(t, img, 100)
}

// with puts a segment behind the first two bytes.
func with(photo []byte, mark byte, body string) []byte {
	n := len(body) + 2
	head := append([]byte{0xff, 0xd8, 0xff, mark, byte(n >> 8), byte(n)}, body...)
	return append(head, photo[2:]...)
}

func TestPhotosLoseTheirMetadataAndKeepTheirPicture(t *testing.T) {
	plain := picture(t, 64, 64)
	exif := "Exif\x00\x00II*\x00\x08\x00\x00\x00\x02\x00" + // little-endian, two entries
		"\x0f\x01\x02\x00\x04\x00\x00\x00GPSX" + "\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00" + "\x00\x00\x00\x00"
	for name, c := range map[string]struct {
		raw  []byte
		want []byte
	}{
		"nothing to lose":          {plain, plain},
		"a comment":                {with(plain, 0xfe, "张三, at home"), plain},
		"XMP":                      {with(plain, 0xe1, "http://ns.adobe.com/xap/1.0/\x00GPS"), plain},
		"maker's notes":            {with(plain, 0xed, "Photoshop GPS"), plain},
		"other pictures":           {with(plain, 0xe2, "MPF\x00GPS"), plain},
		"behind the end":           {append(bytes.Clone(plain), "GPS"...), plain},
		"a profile stays":          {with(plain, 0xe2, "ICC_PROFILE\x00x"), with(plain, 0xe2, "ICC_PROFILE\x00x")},
		"the orientation stays":    {with(plain, 0xe1, exif), append(append([]byte{0xff, 0xd8}, exifOf(6)...), plain[2:]...)},
		"a broken orientation not": {with(plain, 0xe1, exif[:20]), plain},
	} {
		t.Run(name, func(t *testing.T) {
			got, reason := CleanPhoto(c.raw)
			if reason != "" || !bytes.Equal(got, c.want) {
				t.Fatalf("%q, %d bytes, want %d", reason, len(got), len(c.want))
			}
			if bytes.Contains(got, []byte("GPS")) {
				t.Error("metadata is left")
			}
			if _, err := jpeg.Decode(bytes.NewReader(got)); err != nil {
				t.Error(err)
			}
			if again, _ := CleanPhoto(got); !bytes.Equal(again, got) {
				t.Error("cleaning twice differs from cleaning once")
			}
		})
	}
	o, ok := orientation(exifOf(6)[4:])
	if o != 6 || !ok {
		t.Errorf("orientation %d %v", o, ok)
	}
}

func TestWhatIsNoPhotoIsRefused(t *testing.T) {
	good := picture(t, 64, 64)
	for name, c := range map[string]struct {
		raw    []byte
		reason string
	}{
		"nothing":      {nil, "photo_not_jpeg"},
		"text":         {[]byte("hello"), "photo_not_jpeg"},
		"PNG":          {[]byte("\x89PNG\r\n\x1a\n"), "photo_not_jpeg"},
		"half a file":  {good[:len(good)-20], "photo_not_jpeg"},
		"a stamp":      {picture(t, 31, 64), "photo_wrong_size"},
		"a poster":     {picture(t, 4097, 64), "photo_wrong_size"},
		"large":        {append(bytes.Clone(good), make([]byte, MaxPhoto)...), "photo_too_large"},
		"large, noise": {noise(t, 600), "photo_too_large"},
	} {
		if _, reason := CleanPhoto(c.raw); reason != c.reason {
			t.Errorf("%s: %q, want %q", name, reason, c.reason)
		}
	}
}

func TestPathsOfPhotosStayInTheFilesFolder(t *testing.T) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	good := picture(t, 64, 64)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(in, "photos"), 0o700))
	must(os.WriteFile(filepath.Join(dir, "secret.jpg"), good, 0o600))
	must(os.WriteFile(filepath.Join(in, "photos", "a.jpg"), good, 0o600))
	must(os.WriteFile(filepath.Join(in, "large.jpg"), make([]byte, MaxPhoto+1), 0o600))
	must(os.Symlink("../secret.jpg", filepath.Join(in, "out.jpg")))
	must(os.Symlink("photos/a.jpg", filepath.Join(in, "inside.jpg")))
	must(os.Symlink("..", filepath.Join(in, "up")))
	must(syscall.Mkfifo(filepath.Join(in, "pipe.jpg"), 0o600))
	root, err := os.OpenRoot(in)
	must(err)
	defer root.Close()
	for name, want := range map[string]string{
		"photos/a.jpg": "", `photos\a.jpg`: "", "./photos/../photos/a.jpg": "", "inside.jpg": "",
		"../secret.jpg": "photo_outside_folder", `..\secret.jpg`: "photo_outside_folder", "photos/../../secret.jpg": "photo_outside_folder",
		"/etc/passwd": "photo_outside_folder", filepath.Join(dir, "secret.jpg"): "photo_outside_folder",
		"out.jpg": "photo_outside_folder", "up/secret.jpg": "photo_outside_folder",
		"none.jpg": "photo_not_found", "photos": "photo_unreadable", "pipe.jpg": "photo_unreadable",
		"large.jpg": "photo_too_large", "a\x00b": "photo_unreadable", strings.Repeat("x", 5000): "photo_unreadable",
	} {
		photo, reason := folder{root}.photo(name)
		if reason != want || (reason == "") != bytes.Equal(photo, good) {
			t.Errorf("%.40q: %q, want %q", name, reason, want)
		}
	}
}

// A loop and not a fuzz test: for those the whole database would be compiled
// anew, with counters.
func TestDamagedPhotosNeverPanicAndStayPhotosWhenTaken(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 40, 40))
	img.Set(3, 3, color.White)
	plain := encode(t, img, 90)
	r := rand.New(rand.NewPCG(7, 7))
	for _, good := range [][]byte{plain, with(plain, 0xe1, string(exifOf(6)[4:])), with(plain, 0xe2, "ICC_PROFILE\x00x")} {
		for range 3000 {
			raw := bytes.Clone(good)
			for range 1 + r.IntN(3) {
				raw[r.IntN(min(len(raw), 200))] = byte(r.Uint32())
			}
			if r.IntN(4) == 0 {
				raw = raw[:r.IntN(len(raw))]
			}
			clean, reason := CleanPhoto(raw)
			if reason != "" {
				continue
			}
			if again, reason := CleanPhoto(clean); reason != "" || !bytes.Equal(again, clean) {
				t.Fatalf("cleaned twice: %q", reason)
			}
		}
	}
}
