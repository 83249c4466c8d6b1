package record

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Store keeps records in a folder, each in a file of its own that is there whole or not at all: it is written under
// another name, synced and renamed. So any number of processes may read and write at once without locks, and one that
// is killed loses at most the record that it was writing.
type Store struct {
	dir    string
	limits Limits
	now    func() time.Time
	write  func(f *os.File, data []byte) error // os.File.Write, but for tests of a full disk
}

// Limits bound a store. What is over is forgotten, the oldest first.
type Limits struct {
	PerDockerfile int   // records
	Records       int   // of all Dockerfiles
	Bytes         int64 // of all records
}

// DefaultLimits keep some hundred megabytes at most: a record of a context with 50,000 files takes some 4 MB.
var DefaultLimits = Limits{PerDockerfile: 12, Records: 500, Bytes: 256 << 20}

// NewStore returns the store within the user's cache directory; "" keeps nothing and finds nothing. Nothing is read or
// made before it is needed.
func NewStore(cacheDir string) *Store {
	s := &Store{
		limits: DefaultLimits,
		now:    time.Now,
		write:  func(f *os.File, data []byte) error { _, err := f.Write(data); return err },
	}
	if cacheDir != "" {
		s.dir = filepath.Join(cacheDir, "records")
	}
	return s
}

// Dirs are the folders in which the records and the choices are, if there are any: whoever wants to know of new ones
// watches them. They need not exist.
func (s *Store) Dirs() []string {
	if s.dir == "" {
		return nil
	}
	return []string{s.dir, filepath.Dir(s.choiceFile(""))}
}

// Holds reports whether path is the file of a record.
func (s *Store) Holds(path string) bool {
	_, ok := parseEntry(filepath.Base(path))
	return ok && s.dir != "" && filepath.Dir(path) == s.dir
}

// suffixes of files in the store's folder: the name is HASH-TIME-ID, where HASH stands for the Dockerfile's path.
const (
	suffix    = ".record"
	setAside  = ".damaged"
	temporary = ".tmp"
)

// entry is a record's file as its name describes it.
type entry struct {
	file string // name within the folder
	hash string
	time int64 // nanoseconds since 1970
	id   string
	size int64
}

// canonical is the path of a Dockerfile by which its records are found, whichever links lead to its folder.
func canonical(dockerfile string) string {
	if dir, err := filepath.EvalSymlinks(filepath.Dir(dockerfile)); err == nil {
		return filepath.Join(dir, filepath.Base(dockerfile))
	}
	return filepath.Clean(dockerfile)
}

// pathHash stands for a canonical path.
func pathHash(dockerfile string) string {
	sum := sha256.Sum256([]byte(dockerfile))
	return hex.EncodeToString(sum[:8])
}

func parseEntry(name string) (entry, bool) {
	parts := strings.Split(strings.TrimSuffix(name, suffix), "-")
	if !strings.HasSuffix(name, suffix) || len(parts) != 3 {
		return entry{}, false
	}
	when, err := strconv.ParseInt(parts[1], 16, 64)
	return entry{file: name, hash: parts[0], time: when, id: parts[2]}, err == nil
}

// entries lists the records, the newest first.
func (s *Store) entries() ([]entry, error) {
	if s.dir == "" {
		return nil, nil
	}
	list, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the recorded builds cannot be read: %w", err)
	}
	var out []entry
	for _, f := range list {
		if e, ok := parseEntry(f.Name()); ok {
			if info, err := f.Info(); err == nil {
				e.size = info.Size()
			}
			out = append(out, e)
		}
	}
	slices.SortFunc(out, func(a, b entry) int { return cmp.Or(cmp.Compare(b.time, a.time), cmp.Compare(b.id, a.id)) })
	return out, nil
}

// ErrNoStore is Put's error where there is no folder to keep records in.
var ErrNoStore = errors.New("the system names no folder for caches, so nothing can be recorded")

// Put stores a record and returns its id. The record itself stays as it is; its secrets are not stored. Where the
// error is not nil nothing has changed.
func (s *Store) Put(r *Record) (id string, err error) {
	if s.dir == "" {
		return "", ErrNoStore
	}
	defer func() {
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			err = fmt.Errorf("the build is not recorded: no space is left for %s", s.dir)
		} else if err != nil {
			err = fmt.Errorf("the build is not recorded: %w", err)
		}
	}()
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return "", err
	}
	r = r.clone()
	if err := s.hideSecrets(r); err != nil {
		return "", err
	}
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	r.ID = hex.EncodeToString(random[:])
	if r.When.IsZero() {
		r.When = s.now()
	}
	r.Dockerfile = canonical(r.Dockerfile)
	data, err := encode(r)
	if err != nil {
		return "", err
	}
	if int64(len(data)) > s.limits.Bytes/2 {
		return "", fmt.Errorf("its build context has too many files (%d MB to record)", len(data)>>20)
	}
	tmp, err := s.writeTemp(data)
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp) // of no effect after the rename
	name := fmt.Sprintf("%s-%016x-%s%s", pathHash(r.Dockerfile), r.When.UnixNano(), r.ID, suffix)
	if err := os.Rename(tmp, filepath.Join(s.dir, name)); err != nil {
		return "", err
	}
	s.syncDir()
	s.prune()
	return r.ID, nil
}

// writeTemp writes data, as readable for the user alone, to a file that has all of it on the disk.
func (s *Store) writeTemp(data []byte) (name string, err error) {
	f, err := os.CreateTemp(s.dir, "*"+temporary) // mode 0600
	if err != nil {
		return "", err
	}
	err = s.write(f, data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// syncDir makes the rename last through a power cut, where the system can do that.
func (s *Store) syncDir() {
	if d, err := os.Open(s.dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}

// read reads one record. What is damaged is put aside, so that it is told of once.
func (s *Store) read(e entry) (*Record, error) {
	path := filepath.Join(s.dir, e.file)
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r, err := decode(data)
	if err == nil && (r.ID != e.id || pathHash(r.Dockerfile) != e.hash) {
		err = errDamaged
	}
	if errors.Is(err, errDamaged) {
		aside := path + setAside
		if os.Rename(path, aside) == nil {
			return nil, fmt.Errorf("the recorded build %s %w and is passed over; it is now %s", e.id, err, aside)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the recorded build %s %w and is passed over", e.id, err)
	}
	return r, nil
}

// Latest returns the newest record of a Dockerfile, given by its absolute path, that matches; where none does, the
// newest at all; nil if there is none. What cannot be read is passed over, with a sentence of the reason in problems.
func (s *Store) Latest(dockerfile string, match Match) (r *Record, problems []error) {
	entries, err := s.entries()
	if err != nil {
		return nil, []error{err}
	}
	dockerfile = canonical(dockerfile)
	hash := pathHash(dockerfile)
	var newest *Record
	for _, e := range entries {
		if e.hash != hash {
			continue
		}
		r, err := s.read(e)
		switch {
		case errors.Is(err, fs.ErrNotExist): // forgotten by another process just now
		case err != nil:
			problems = append(problems, err)
		case r.Dockerfile != dockerfile:
		case match.Fits(r):
			return r, problems
		case newest == nil:
			newest = r
		}
	}
	return newest, problems
}

// Newest is the id of the newest record of a Dockerfile, "" if there is none. It is told by the file's name, so the
// record may be damaged, and costs little.
func (s *Store) Newest(dockerfile string) string {
	entries, _ := s.entries()
	hash := pathHash(canonical(dockerfile))
	for _, e := range entries {
		if e.hash == hash {
			return e.id
		}
	}
	return ""
}

// List returns the records of a Dockerfile, or of all of them for "", the newest first.
func (s *Store) List(dockerfile string) (records []*Record, problems []error) {
	entries, err := s.entries()
	if err != nil {
		return nil, []error{err}
	}
	hash := pathHash(canonical(dockerfile))
	for _, e := range entries {
		if dockerfile != "" && e.hash != hash {
			continue
		}
		r, err := s.read(e)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			problems = append(problems, err)
		default:
			records = append(records, r)
		}
	}
	return records, problems
}

// ErrNoRecord is wrapped by the error about an id that no record has.
var ErrNoRecord = errors.New("no recorded build")

// Get returns the record of that id, or of the only id that begins so.
func (s *Store) Get(id string) (*Record, error) {
	e, err := s.find(id)
	if err != nil {
		return nil, err
	}
	return s.read(e)
}

func (s *Store) find(id string) (entry, error) {
	entries, err := s.entries()
	if err != nil {
		return entry{}, err
	}
	var found []entry
	for _, e := range entries {
		if id != "" && strings.HasPrefix(e.id, id) {
			found = append(found, e)
		}
	}
	switch len(found) {
	case 0:
		return entry{}, fmt.Errorf("%w has the id %q", ErrNoRecord, id)
	case 1:
		return found[0], nil
	}
	return entry{}, fmt.Errorf("%d recorded builds have ids that begin with %q", len(found), id)
}

// Forget deletes the record of that id, or of the only id that begins so.
func (s *Store) Forget(id string) error {
	e, err := s.find(id)
	if err != nil {
		return err
	}
	return os.Remove(filepath.Join(s.dir, e.file))
}

// ForgetAll deletes the records of a Dockerfile, or of all of them for "", and returns how many there were.
func (s *Store) ForgetAll(dockerfile string) (n int, err error) {
	entries, err := s.entries()
	hash := pathHash(canonical(dockerfile))
	for _, e := range entries {
		if dockerfile != "" && e.hash != hash {
			continue
		}
		if e := os.Remove(filepath.Join(s.dir, e.file)); e == nil {
			n++
		} else if !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return n, err
}

// prune forgets what is over the limits, and what a process that was killed has left.
func (s *Store) prune() {
	entries, err := s.entries()
	if err != nil {
		return
	}
	perFile, total := map[string]int{}, int64(0)
	for i, e := range entries {
		perFile[e.hash]++
		total += e.size
		if perFile[e.hash] > s.limits.PerDockerfile || i >= s.limits.Records || total > s.limits.Bytes && i > 0 {
			_ = os.Remove(filepath.Join(s.dir, e.file))
		}
	}
	list, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	aside := 0
	for i := len(list) - 1; i >= 0; i-- {
		name := list[i].Name()
		info, err := list[i].Info()
		if err != nil {
			continue
		}
		old := s.now().Sub(info.ModTime())
		if strings.HasSuffix(name, setAside) {
			aside++
		}
		if strings.HasSuffix(name, temporary) && old > time.Hour ||
			strings.HasSuffix(name, setAside) && (aside > maxAside || old > 30*24*time.Hour) {
			_ = os.Remove(filepath.Join(s.dir, name))
		}
	}
}

// maxAside is how many damaged records are kept.
const maxAside = 16
