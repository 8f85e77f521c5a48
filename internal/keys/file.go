package keys

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/citycode/citycode/internal/fault"
	"github.com/citycode/citycode/internal/sm"
)

// The key file is text, so that a person who finds it can tell what it is:
//
//	citycode key file 1
//	# comment lines
//	id: <16 hexadecimal digits, from the key>
//	key: <32 hexadecimal digits>
//
// The id is derived from the key, which makes it a check of typing, too.
const fileHeader = "citycode key file 1"

const fileComment = `# The key-encryption key of one citycode platform: every other key in its
# database is sealed under this one. Whoever holds this file and a copy of the
# database can read every resident's data and make codes. Whoever loses it has
# lost that data. Keep one copy apart from the backups of the database, keep
# mode 0600, and never edit it.
`

// maxFileSize is far above what a key file holds; a larger one is something else.
const maxFileSize = 4096

// File is the key-encryption key, read from its file. It is safe for concurrent
// use.
type File struct {
	id   string
	aead cipher.AEAD
}

// ID names the key without telling anything about it: 16 hexadecimal digits.
// The database keeps it, to tell a wrong key file from damage.
func (f *File) ID() string { return f.id }

// String names the key, never shows it.
func (f *File) String() string { return "key file " + f.id }

// CreateFile makes a new key-encryption key and writes it to path, mode 0600,
// on disk before it returns. An existing file is never overwritten: fault
// Conflict "key_file_exists". The file appears whole or not at all, so that a
// second process may load it as soon as it is there.
func CreateFile(path string) (*File, error) {
	key := make([]byte, sm.KeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("make key-encryption key: %w", err)
	}
	f, err := newFile(key)
	if err != nil {
		return nil, err
	}
	text := fmt.Sprintf("%s\n%sid: %s\nkey: %x\n", fileHeader, fileComment, f.id, key)
	if err := writeNew(path, []byte(text)); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fault.New(fault.Conflict, "key_file_exists", "%s is there already and is not overwritten", path)
		}
		return nil, fmt.Errorf("write key file: %w", err)
	}
	return f, nil
}

// writeNew writes a file under another name and links it to path, because a
// link fails when path exists and never shows half a file.
func writeNew(path string, text []byte) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// LoadFile reads a key file. Its errors are fault NotFound "key_file_missing",
// Denied "key_file_readable" when the group or others have any right to it, and
// Invalid "key_file_damaged"; none tells what the file holds.
func LoadFile(path string) (*File, error) {
	h, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New(fault.NotFound, "key_file_missing", "no key file at %s", path)
	}
	if err != nil {
		return nil, fmt.Errorf("open key file: %w", err)
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return nil, fmt.Errorf("look at key file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fault.New(fault.Invalid, "key_file_damaged", "%s is not a regular file", path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fault.New(fault.Denied, "key_file_readable",
			"%s has mode %04o, so others than its owner can get at it: chmod 600 it, and rotate the keys if anyone may have read it", path, mode)
	}
	text, err := io.ReadAll(io.LimitReader(h, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	f, err := parseFile(text)
	if err != nil {
		return nil, fault.New(fault.Invalid, "key_file_damaged", "%s: %s", path, err.Error())
	}
	return f, nil
}

// parseFile's errors quote nothing of the file.
func parseFile(text []byte) (*File, error) {
	if len(text) > maxFileSize {
		return nil, errors.New("too long for a key file")
	}
	var id, key []byte
	for n, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimRight(line, "\r")
		switch {
		case n == 0:
			if string(line) != fileHeader {
				return nil, fmt.Errorf("the first line is not %q", fileHeader)
			}
		case len(line) == 0 || line[0] == '#':
		case id == nil && bytes.HasPrefix(line, []byte("id: ")):
			id = line[len("id: "):]
		case key == nil && bytes.HasPrefix(line, []byte("key: ")):
			key = line[len("key: "):]
		default:
			return nil, fmt.Errorf("line %d is not part of a key file", n+1)
		}
	}
	raw, err := hex.DecodeString(string(key))
	if err != nil || len(raw) != sm.KeySize {
		return nil, fmt.Errorf("the key is not %d hexadecimal digits", 2*sm.KeySize)
	}
	f, err := newFile(raw)
	if err != nil {
		return nil, err
	}
	if f.id != string(id) {
		return nil, errors.New("key and id don't belong together")
	}
	return f, nil
}

func newFile(key []byte) (*File, error) {
	aead, err := sm.NewGCM(key)
	if err != nil {
		return nil, fmt.Errorf("key-encryption key: %w", err)
	}
	// HMAC with the key, so that the id is not a plain digest of it.
	id := sm.NewHMAC(key).Sum([]byte("citycode key file id\x00"))
	return &File{id: hex.EncodeToString(id[:8]), aead: aead}, nil
}
