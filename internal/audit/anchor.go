package audit

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/citycode/citycode/internal/sm"
)

// anchorLine is a checkpoint as it stands in the anchor file.
type anchorLine struct {
	Chain      int64  `json:"chain,string"`
	No         int64  `json:"no"`
	At         int64  `json:"at"`
	Generation uint32 `json:"generation"`
	Signature  string `json:"signature"`
	Body       string `json:"body"`
}

func encodeAnchor(c Checkpoint) ([]byte, error) {
	line, err := json.Marshal(anchorLine{c.Chain, c.No, c.At, c.Generation, hex.EncodeToString(c.Signature[:]), c.Body})
	return append(line, '\n'), err
}

func decodeAnchor(line []byte) (Checkpoint, error) {
	var a anchorLine
	if err := json.Unmarshal(line, &a); err != nil {
		return Checkpoint{}, err
	}
	signature, err := hex.DecodeString(a.Signature)
	if err != nil || len(signature) != sm.SignatureSize {
		return Checkpoint{}, errors.New("not a signature")
	}
	return Checkpoint{a.Chain, a.No, a.At, a.Body, a.Generation, [sm.SignatureSize]byte(signature)}, nil
}

// AppendAnchor appends checkpoints to the file, one JSON line each, and syncs
// it. The file is made with mode 0600 if it isn't there; several processes may
// append to one. Without checkpoints it only finds out whether it could.
func AppendAnchor(path string, checkpoints ...Checkpoint) (err error) {
	_, statErr := os.Stat(path)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("audit anchor: %w", err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("audit anchor: %w", closeErr)
		}
	}()
	if errors.Is(statErr, os.ErrNotExist) {
		if err := syncFolder(path); err != nil {
			return fmt.Errorf("audit anchor: %w", err)
		}
	}
	var text []byte
	if torn, err := endsTorn(f); err != nil {
		return fmt.Errorf("audit anchor: %w", err)
	} else if torn && len(checkpoints) > 0 {
		text = append(text, '\n')
	}
	for _, c := range checkpoints {
		line, err := encodeAnchor(c)
		if err != nil {
			return fmt.Errorf("audit anchor: %w", err)
		}
		text = append(text, line...)
	}
	if len(text) == 0 {
		return nil
	}
	if _, err := f.Write(text); err != nil {
		return fmt.Errorf("audit anchor: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("audit anchor: %w", err)
	}
	return nil
}

func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// endsTorn says whether the last line has no end: the machine stopped while it
// was written.
func endsTorn(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil {
		return false, err
	}
	return last[0] != '\n', nil
}

// longestLine bounds what is taken for one line of an anchor file.
const longestLine = 64 << 20

// readAnchor calls each with the lines of the file, numbered from 1; bad holds
// the text of a line that isn't a checkpoint.
func readAnchor(path string, each func(line int, c Checkpoint, bad []byte) error) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("audit anchor: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, longestLine)
	for n := 1; lines.Scan(); n++ {
		text := bytes.TrimSuffix(lines.Bytes(), []byte{'\r'})
		if len(text) == 0 {
			continue
		}
		c, err := decodeAnchor(text)
		if err == nil {
			err = each(n, c, nil)
		} else {
			err = each(n, Checkpoint{}, bytes.Clone(text))
		}
		if err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("audit anchor: %w", err)
	}
	return nil
}
