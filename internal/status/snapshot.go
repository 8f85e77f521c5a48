package status

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// The snapshot file, integers big-endian:
//
//	magic       the line snapshotMagic, which names the version
//	people      16 bytes each: handle, packed value
//	end         8 bytes 0, 8 bytes number of people
//	state       4 bytes length, then JSON (snapshotState)
//	digest      SHA-256 of all before, against damage; it proves no origin
//
// What the packed values refer to is written after them, because it only grows
// while they are read out beside the writers.
const snapshotMagic = "citycode status snapshot 1\n"

// snapshotState is what a snapshot's packed values refer to, and where in the
// change feed they stand.
type snapshotState struct {
	Database string             `json:"database"` // its identity
	Position map[int64]int64    `json:"position"` // of the feed, before the first value was read
	Scheme   string             `json:"scheme"`
	Meanings []meaning          `json:"meanings"`
	Aside    map[uint64]outside `json:"aside,omitempty"` // what doesn't fit a slot, by handle
}

// outside is an entry in words.
type outside struct {
	meaning
	Since     int64 `json:"since"`
	ChangesAt int64 `json:"changes_at,omitempty"`
}

// snapshotAge is how old a snapshot gets when nothing changes: the feed refuses
// to go on from one that is much older.
const snapshotAge = 10 * time.Minute

// maxState bounds the JSON of a snapshot that is read.
const maxState = 256 << 20

func (s *Store) snapshotPath() string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, s.cfg.NodeName)
	if name == "" {
		name = "node"
	}
	return filepath.Join(s.cfg.Dir, "status-"+name+".snap")
}

// saveSnapshot writes the file when it would differ, or grows old. Its failing
// costs a slower start, so it is logged and no more.
func (s *Store) saveSnapshot() {
	if s.cfg.Dir == "" || s.cfg.Feed == nil || !s.Loaded() {
		return
	}
	// The position first: what happens between it and the reading of the values
	// comes again as a change.
	position, database := s.cfg.Feed.Position(), s.cfg.Feed.Identity()
	s.writing.Lock()
	m, dirty := s.memory.Load(), s.dirty
	s.dirty = false
	s.writing.Unlock()
	now := s.cfg.Now()
	switch {
	case position == nil, s.cfg.Feed.Identity() != database:
		s.markDirty() // a reload is under way
		return
	case !dirty && now.Sub(s.saved) < snapshotAge && !now.Before(s.saved):
		return
	}
	if err := writeSnapshot(s.snapshotPath(), m, snapshotState{Database: database, Position: position, Scheme: Health}); err != nil {
		s.markDirty()
		s.cfg.Log.Warn("the snapshot of statuses can't be written", slog.Any("error", err))
		return
	}
	s.saved = now
}

func (s *Store) markDirty() {
	s.writing.Lock()
	s.dirty = true
	s.writing.Unlock()
}

// loadSnapshot puts the snapshot in memory and the feed where it was taken.
func (s *Store) loadSnapshot() bool {
	if s.cfg.Dir == "" || s.cfg.Feed == nil {
		return false
	}
	m, state, err := readSnapshot(s.snapshotPath())
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		s.cfg.Log.Warn("the snapshot of statuses is of no use", slog.Any("error", err))
		return false
	}
	s.cfg.Feed.Start(state.Position, state.Database)
	if s.cfg.Feed.Position() == nil {
		return false
	}
	s.memory.Store(m)
	s.filled.Store(true)
	return true
}

func writeSnapshot(path string, m *memory, state snapshotState) (err error) {
	part := path + ".tmp"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(part)
		}
	}()
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	out.WriteString(snapshotMagic)
	var record [16]byte
	put := func(a, b uint64) {
		binary.BigEndian.PutUint64(record[:], a)
		binary.BigEndian.PutUint64(record[8:], b)
		out.Write(record[:])
	}
	count := uint64(0)
	state.Aside = make(map[uint64]outside)
	m.table.each(func(handle, value uint64) bool {
		if value == elsewhere {
			if e, ok := m.unpack(handle, value); ok {
				state.Aside[handle] = outside{e.meaning, e.since, e.changesAt}
			}
		}
		put(handle, value)
		count++
		return true
	})
	put(0, count)
	state.Meanings = *m.meanings.Load()
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	out.Write(binary.BigEndian.AppendUint32(nil, uint32(len(text))))
	out.Write(text)
	if err := out.Flush(); err != nil {
		return err
	}
	if _, err := f.Write(sum.Sum(nil)); err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func readSnapshot(path string) (*memory, snapshotState, error) {
	var state snapshotState
	f, err := os.Open(path)
	if err != nil {
		return nil, state, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, state, err
	}
	r := &summed{r: bufio.NewReaderSize(f, 1<<20), sum: sha256.New()}
	magic := make([]byte, len(snapshotMagic))
	if r.full(magic); string(magic) != snapshotMagic {
		return nil, state, errors.New("no snapshot of this version")
	}
	m := newMemory()
	m.table.reserve(int(info.Size() / 16))
	var record [16]byte
	count := uint64(0)
	for {
		r.full(record[:])
		if r.err != nil {
			return nil, state, fmt.Errorf("cut: %w", r.err)
		}
		handle, value := binary.BigEndian.Uint64(record[:]), binary.BigEndian.Uint64(record[8:])
		if handle == 0 {
			if value != count {
				return nil, state, fmt.Errorf("%d people, %d were written", count, value)
			}
			break
		}
		m.table.set(handle, value)
		count++
	}
	r.full(record[:4])
	size := binary.BigEndian.Uint32(record[:4])
	if r.err != nil || size > maxState {
		return nil, state, errors.New("cut or damaged")
	}
	text := make([]byte, size)
	r.full(text)
	want := r.sum.Sum(nil)
	got := make([]byte, len(want))
	if r.full(got); r.err != nil || !bytes.Equal(got, want) {
		return nil, state, errors.New("cut or damaged: the digest differs")
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return nil, state, err
	}
	if state.Scheme != Health || len(state.Meanings) == 0 || len(state.Meanings) > elsewhere {
		return nil, state, errors.New("of another kind")
	}
	m.restore(state)
	return m, state, nil
}

// restore takes over what the packed values refer to.
func (m *memory) restore(state snapshotState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.meanings.Store(&state.Meanings)
	for k, x := range state.Meanings[1:] {
		m.index[x] = uint64(k + 1)
	}
	for h, o := range state.Aside {
		m.aside[h] = entry{o.meaning, o.Since, o.ChangesAt}
	}
}

// summed reads and digests; after the first error it does nothing.
type summed struct {
	r   io.Reader
	sum hash.Hash
	err error
}

func (s *summed) full(b []byte) {
	if s.err != nil {
		clear(b)
		return
	}
	if _, s.err = io.ReadFull(s.r, b); s.err == nil {
		s.sum.Write(b)
	}
}
