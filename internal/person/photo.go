package person

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"image/jpeg"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/citycode/citycode/internal/sm"
)

// Limits of a photo.
const (
	MaxPhoto     = 200 << 10 // bytes
	minPhotoSide = 32        // pixels
	maxPhotoSide = 4096
)

func (s *Store) photoDigest(photo []byte) []byte {
	sum := sm.SM3(photo)
	return s.cfg.Keys.Lookup("person-photo", hex.EncodeToString(sum[:]))
}

// folder is where an import file and its photos lie.
type folder struct{ root *os.Root }

// photo reads a photo named in a row; reason is the code of why it can't.
func (f folder) photo(name string) (photo []byte, reason string) {
	name = filepath.FromSlash(strings.ReplaceAll(name, `\`, "/"))
	if !filepath.IsLocal(name) {
		return nil, "photo_outside_folder"
	}
	// Root doesn't follow links out of the folder either. Asking before opening
	// keeps a pipe from holding the import up.
	info, err := f.root.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "photo_not_found"
	case err != nil && strings.Contains(err.Error(), "escapes"):
		return nil, "photo_outside_folder"
	case err != nil, !info.Mode().IsRegular():
		return nil, "photo_unreadable"
	case info.Size() > MaxPhoto:
		return nil, "photo_too_large"
	}
	file, err := f.root.Open(name)
	if err != nil {
		return nil, "photo_unreadable"
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, MaxPhoto+1))
	if err != nil {
		return nil, "photo_unreadable"
	}
	return CleanPhoto(raw)
}

// CleanPhoto checks that the bytes are a JPEG of a reasonable size and returns
// it without metadata; else reason is a code: photo_too_large, photo_not_jpeg
// or photo_wrong_size (pixels).
func CleanPhoto(raw []byte) (photo []byte, reason string) {
	if len(raw) > MaxPhoto {
		return nil, "photo_too_large"
	}
	c, err := jpeg.DecodeConfig(bytes.NewReader(raw))
	if err != nil {
		return nil, "photo_not_jpeg"
	}
	if min(c.Width, c.Height) < minPhotoSide || max(c.Width, c.Height) > maxPhotoSide {
		return nil, "photo_wrong_size"
	}
	photo, ok := withoutMetadata(raw)
	if !ok {
		return nil, "photo_not_jpeg"
	}
	return photo, ""
}

// JPEG markers (ITU-T T.81, table B.1).
const (
	markSOI   = 0xd8
	markEOI   = 0xd9
	markSOS   = 0xda
	markAPP0  = 0xe0
	markAPP1  = 0xe1
	markAPP2  = 0xe2
	markAPP14 = 0xee
	markAPP15 = 0xef
	markCOM   = 0xfe
)

// withoutMetadata copies a JPEG without comments and application segments,
// which tell where, when and with what it was taken. What the picture needs
// stays: JFIF, the colour profile, Adobe's colour transform, and of Exif the
// orientation, in a new segment. What follows the image is cut off; an image
// without an end is refused as half a file.
func withoutMetadata(b []byte) ([]byte, bool) {
	if len(b) < 4 || b[0] != 0xff || b[1] != markSOI {
		return nil, false
	}
	out := append(make([]byte, 0, len(b)), b[:2]...)
	for b = b[2:]; len(b) >= 4 && b[0] == 0xff; {
		mark := b[1]
		if mark == 0xff { // fill byte
			b = b[1:]
			continue
		}
		n := 2 + int(binary.BigEndian.Uint16(b[2:]))
		if n < 4 || n > len(b) {
			return nil, false
		}
		body := b[4:n]
		switch {
		case mark == markSOS:
			end := bytes.LastIndex(b, []byte{0xff, markEOI})
			if end < n {
				return nil, false
			}
			return append(out, b[:end+2]...), true
		case mark == markAPP1:
			if o, ok := orientation(body); ok && o != 1 {
				out = append(out, exifOf(o)...)
			}
		case mark == markAPP0, mark == markAPP14, mark == markAPP2 && bytes.HasPrefix(body, []byte("ICC_PROFILE\x00")):
			out = append(out, b[:n]...)
		case mark > markAPP0 && mark <= markAPP15, mark == markCOM:
		default:
			out = append(out, b[:n]...)
		}
		b = b[n:]
	}
	return nil, false
}

const exifHeader = "Exif\x00\x00"

// orientation reads tag 0x0112 from an Exif segment: 1 to 8.
func orientation(exif []byte) (uint16, bool) {
	tiff, ok := bytes.CutPrefix(exif, []byte(exifHeader))
	if !ok || len(tiff) < 8 {
		return 0, false
	}
	var order binary.ByteOrder = binary.BigEndian
	if tiff[0] == 'I' {
		order = binary.LittleEndian
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 0, false
	}
	entries := int(order.Uint16(tiff[at:]))
	tiff = tiff[at+2:]
	for range entries {
		if len(tiff) < 12 {
			return 0, false
		}
		if order.Uint16(tiff) == 0x0112 {
			o := order.Uint16(tiff[8:])
			return o, o >= 1 && o <= 8
		}
		tiff = tiff[12:]
	}
	return 0, false
}

// exifOf is a segment that tells an orientation and nothing else.
func exifOf(o uint16) []byte {
	b := append([]byte{0xff, markAPP1, 0, 0}, exifHeader...)
	b = append(b, "MM\x00*\x00\x00\x00\x08\x00\x01"...)                    // one entry
	b = append(b, 0x01, 0x12, 0, 3, 0, 0, 0, 1, byte(o>>8), byte(o), 0, 0) // SHORT × 1
	b = append(b, 0, 0, 0, 0)                                              // no further directory
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)-2))
	return b
}
