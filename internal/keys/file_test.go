package keys

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/citycode/citycode/internal/fault"
)

func TestKeyFileIsPrivateWhateverTheUmask(t *testing.T) {
	path := filepath.Join(t.TempDir(), "citycode.key")
	made, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	read, err := LoadFile(path)
	if err != nil || read.ID() != made.ID() {
		t.Fatalf("read back %v, %v", read, err)
	}
	if ok, _ := regexp.MatchString(`^[0-9a-f]{16}$`, made.ID()); !ok {
		t.Errorf("id %q", made.ID())
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("the folder has %v, %v", left, err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(text, []byte("citycode key file 1\n# The key-encryption key")) {
		t.Errorf("the file doesn't say what it is: %.80q, %v", text, err)
	}
}

func TestKeyFileIsNeverOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "citycode.key")
	if _, err := CreateFile(path); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(path)
	if _, err := CreateFile(path); fault.CodeOf(err) != "key_file_exists" || fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second CreateFile: %v", err)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Error("the file was changed")
	}
}

func TestKeyFileThatOthersCanReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "citycode.key")
	if _, err := CreateFile(path); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o644, 0o660, 0o620, 0o602, 0o610, 0o601, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadFile(path); fault.CodeOf(err) != "key_file_readable" || fault.KindOf(err) != fault.Denied {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
	for _, mode := range []os.FileMode{0o600, 0o400, 0o700} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadFile(path); err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

func TestMissingKeyFileIsToldFromADamagedOne(t *testing.T) {
	dir := t.TempDir()
	if _, err := LoadFile(filepath.Join(dir, "none")); fault.CodeOf(err) != "key_file_missing" || fault.KindOf(err) != fault.NotFound {
		t.Errorf("missing: %v", err)
	}
	if _, err := CreateFile(filepath.Join(dir, "no", "such", "folder")); err == nil {
		t.Error("a file was made in a folder that isn't there")
	}

	good := filepath.Join(dir, "good")
	if _, err := CreateFile(good); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	keyLine := regexp.MustCompile(`(?m)^key: .*$`).FindString(text)
	idLine := regexp.MustCompile(`(?m)^id: .*$`).FindString(text)
	flipped := strings.NewReplacer("0", "1", "1", "0", "a", "b", "b", "a", "7", "8").Replace(keyLine[5:])
	for name, damaged := range map[string]string{
		"empty":                  "",
		"another version":        strings.Replace(text, "key file 1", "key file 2", 1),
		"cut":                    text[:len(text)-8],
		"without the key":        strings.Replace(text, keyLine, "", 1),
		"without the id":         strings.Replace(text, idLine, "", 1),
		"a changed key":          strings.Replace(text, keyLine, "key: "+flipped, 1),
		"two keys":               text + keyLine + "\n",
		"something else besides": text + "note: mine\n",
		"a private key":          "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
		"endless":                text + strings.Repeat("# x\n", 2000),
	} {
		path := filepath.Join(dir, "damaged")
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadFile(path)
		if fault.CodeOf(err) != "key_file_damaged" {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), keyLine[5:]) {
			t.Errorf("%s: the error quotes the key", name)
		}
	}

	crlf := filepath.Join(dir, "crlf")
	if err := os.WriteFile(crlf, []byte(strings.ReplaceAll(text, "\n", "\r\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadFile(crlf); err != nil {
		t.Errorf("a file that was copied through Windows: %v", err)
	}
	if _, err := LoadFile(dir); err == nil {
		t.Error("a folder was taken for a key file")
	}
}

func TestKeyFileDoesNotShowItsKeyWhenPrinted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "citycode.key")
	f, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if f.ID() != again.ID() || f.String() != "key file "+f.ID() {
		t.Errorf("%v, %v", f, again)
	}
}
