package record

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/layerwise/layerwise/cachemodel"
	"github.com/layerwise/layerwise/cachemodel/buildcontext"
)

// A record's file is a line that says its version, a JSON head, each tree in a binary form, and the SHA-256 of all
// that.
const (
	magicStem = "layerwise record "
	magic     = magicStem + "1\n"
)

var (
	errDamaged = errors.New("is damaged")
	errNewer   = errors.New("was written by a newer version of layerwise")
)

// head is everything of a record but its trees.
type head struct {
	ID            string                      `json:"id"`
	When          time.Time                   `json:"when"`
	Source        Source                      `json:"source"`
	Tool          string                      `json:"tool,omitempty"`
	Name          string                      `json:"name,omitempty"`
	BuilderName   string                      `json:"builder,omitempty"` // all that earlier versions knew of it
	Builder       Builder                     `json:"builtOn,omitzero"`
	Ref           string                      `json:"ref,omitempty"`
	Tags          []string                    `json:"tags,omitempty"`
	Dockerfile    string                      `json:"dockerfile"`
	Text          []byte                      `json:"text"` // any bytes
	ContextDir    string                      `json:"contextDir,omitempty"`
	ContextImages map[string]string           `json:"contextImages,omitempty"`
	Settings      cachemodel.Settings         `json:"settings"`
	Secrets       map[string]string           `json:"secrets,omitempty"`
	Images        map[string]cachemodel.Image `json:"images,omitempty"`
	Costs         map[int]cachemodel.Cost     `json:"costs,omitempty"`
	Hits          map[int]bool                `json:"hits,omitempty"`
	NoCache       bool                        `json:"noCache,omitempty"`
	NoCacheFilter []string                    `json:"noCacheFilter,omitempty"`
	Notes         []string                    `json:"notes,omitempty"`
	Unknown       cachemodel.UnknownParts     `json:"unknown,omitzero"`
	HasContext    bool                        `json:"hasContext"`
	// Run says that the settings that every RUN gets are among Settings.
	Run      bool        `json:"run"`
	Contexts []namedHead `json:"contexts,omitempty"` // in the order of the trees
}

type namedHead struct {
	Name string `json:"name"`
	Dir  string `json:"dir"`
}

func encode(r *Record) ([]byte, error) {
	h := head{
		ID: r.ID, When: r.When, Source: r.Source, Tool: r.Tool, Name: r.Name, BuilderName: r.Builder.Name,
		Builder: r.Builder, Ref: r.Ref, Tags: r.Tags,
		Dockerfile: r.Dockerfile, Text: []byte(r.Text), ContextDir: r.ContextDir, ContextImages: r.ContextImages,
		Settings: r.Settings, Secrets: r.Secrets,
		Images: withoutSecrets(r.Images), Costs: r.Costs, Hits: r.Hits, NoCache: r.NoCache,
		NoCacheFilter: r.NoCacheFilter, Notes: r.Notes, HasContext: r.Context != nil, Unknown: r.Unknown, Run: true,
	}
	var trees []*buildcontext.Tree
	if r.Context != nil {
		trees = append(trees, r.Context)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Contexts)) {
		c := r.Contexts[name]
		if c.Tree == nil {
			c.Tree = buildcontext.Unknown()
		}
		h.Contexts = append(h.Contexts, namedHead{name, c.Dir})
		trees = append(trees, c.Tree)
	}
	text, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	out := appendText([]byte(magic), string(text))
	for _, tree := range trees {
		out = appendTree(out, tree)
	}
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

func decode(data []byte) (*Record, error) {
	h, r, err := decodeHead(data)
	if err != nil {
		return nil, err
	}
	out := &Record{
		ID: h.ID, When: h.When, Source: h.Source, Tool: h.Tool, Name: h.Name, Builder: h.Builder, Ref: h.Ref,
		Tags:       h.Tags,
		Dockerfile: h.Dockerfile, Text: string(h.Text), ContextDir: h.ContextDir, ContextImages: h.ContextImages,
		Settings: h.Settings, Secrets: h.Secrets,
		Images: h.Images, Costs: h.Costs, Hits: h.Hits, NoCache: h.NoCache,
		NoCacheFilter: h.NoCacheFilter, Notes: h.Notes, Unknown: h.Unknown,
	}
	if strings.HasPrefix(h.Tool, "podman") || strings.HasPrefix(h.Tool, "buildah") {
		out.Settings.Engine = cachemodel.Podman // an earlier version of layerwise took it for the classic builder
	}
	if !h.Run {
		out.Unknown.Run = "An earlier version of layerwise recorded the build without the settings of its RUN " +
			"instructions."
	}
	if out.Builder == (Builder{}) {
		out.Builder.Name = h.BuilderName
	}
	if h.HasContext {
		out.Context = r.tree()
	}
	for _, c := range h.Contexts {
		if out.Contexts == nil {
			out.Contexts = map[string]NamedContext{}
		}
		out.Contexts[c.Name] = NamedContext{Dir: c.Dir, Tree: r.tree()}
	}
	if r.bad || len(r.rest) > 0 {
		return nil, errDamaged
	}
	return out, nil
}

// decodeHead checks the whole file and reads its head; the reader stands before the trees then.
func decodeHead(data []byte) (*head, *reader, error) {
	if len(data) < len(magic)+sha256.Size {
		return nil, nil, errDamaged
	}
	body, sum := data[:len(data)-sha256.Size], data[len(data)-sha256.Size:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return nil, nil, errDamaged
	}
	rest, ok := bytes.CutPrefix(body, []byte(magic))
	switch {
	case !ok && bytes.HasPrefix(body, []byte(magicStem)):
		return nil, nil, errNewer
	case !ok:
		return nil, nil, errDamaged
	}
	r := &reader{rest: rest}
	var h head
	if err := json.Unmarshal([]byte(r.text()), &h); err != nil || r.bad {
		return nil, nil, errDamaged
	}
	return &h, r, nil
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendTree writes the ignore file's rules and the entries.
func appendTree(b []byte, t *buildcontext.Tree) []byte {
	if _, err := t.Digest(buildcontext.Query{Path: "/", Include: []string{"layerwise-no-such-file"}}); errors.Is(
		err,
		buildcontext.ErrUnknown,
	) {
		return append(b, treeUnknown)
	}
	b = append(b, treeKnown)
	b = appendText(b, t.Ignore().Name())
	b = binary.AppendUvarint(b, uint64(len(t.Ignore().Patterns())))
	for _, p := range t.Ignore().Patterns() {
		b = appendText(b, p)
	}
	return appendNode(b, t.Root())
}

const (
	treeUnknown = iota
	treeKnown
)

// What is known of an entry, as bits.
const (
	hasContent = 1 << iota
	hasXattrs
	hasLink
	hasDevice
	isUnknown // buildcontext.ErrUnknown
	isUnread  // another error
)

func appendNode(b []byte, n *buildcontext.Node) []byte {
	m := n.Meta()
	id, known := n.Content()
	bits := 0
	set := func(bit int, yes bool) {
		if yes {
			bits |= bit
		}
	}
	set(hasContent, m.Type == buildcontext.File && known)
	set(hasXattrs, len(m.Xattrs) > 0)
	set(hasLink, m.Link != "")
	set(hasDevice, m.Major+m.Minor > 0)
	set(isUnknown, errors.Is(m.Err, buildcontext.ErrUnknown))
	set(isUnread, m.Err != nil && bits&isUnknown == 0)
	b = appendText(b, n.Name())
	b = append(b, byte(m.Type), byte(bits))
	b = binary.AppendUvarint(b, uint64(m.Mode))
	if m.Type == buildcontext.File {
		b = binary.AppendVarint(b, m.Size)
	}
	if bits&hasContent != 0 {
		b = append(b, id[:]...)
	}
	if bits&hasLink != 0 {
		b = appendText(b, m.Link)
	}
	if bits&hasDevice != 0 {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(m.Major)), uint64(m.Minor))
	}
	if bits&hasXattrs != 0 {
		b = binary.AppendUvarint(b, uint64(len(m.Xattrs)))
		for _, x := range m.Xattrs {
			b = appendText(appendText(b, x.Name), x.Value)
		}
	}
	if bits&isUnread != 0 {
		b = appendText(b, m.Err.Error())
	}
	if m.Type == buildcontext.Dir {
		b = binary.AppendUvarint(b, uint64(len(n.Children())))
		for _, c := range n.Children() {
			b = appendNode(b, c)
		}
	}
	return b
}

// reader takes values from a body whose checksum is right. Where there is less than is asked for it turns bad and gives
// zeros.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) bytes(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.bad, n = true, 0
		r.rest = nil
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (r *reader) uint() uint64 {
	v, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return v
}

func (r *reader) int() int64 {
	v, size := binary.Varint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return v
}

// count reads how many things follow, each of which takes a byte at least.
func (r *reader) count() int {
	n := r.uint()
	if n > uint64(len(r.rest)) {
		r.bad, r.rest = true, nil
		return 0
	}
	return int(n)
}

func (r *reader) text() string { return string(r.bytes(r.count())) }

func (r *reader) tree() *buildcontext.Tree {
	if r.byte() == treeUnknown {
		return buildcontext.Unknown()
	}
	name := r.text()
	patterns := make([]string, r.count())
	for i := range patterns {
		patterns[i] = r.text()
	}
	ignore, err := buildcontext.NewIgnore(name, patterns)
	root := r.node(0)
	if err != nil || root.Type() != buildcontext.Dir {
		r.bad = true
		return buildcontext.Unknown()
	}
	return buildcontext.NewTree(root, ignore, forgotten{}, nil)
}

// maxDepth bounds how deep directories stand in one another: paths have at most 4096 bytes on the systems we know.
const maxDepth = 4096

func (r *reader) node(depth int) *buildcontext.Node {
	name := r.text()
	m := buildcontext.Meta{Type: buildcontext.EntryType(r.byte())}
	bits := r.byte()
	m.Mode = uint32(r.uint())
	var id buildcontext.ContentID
	if m.Type == buildcontext.File {
		m.Size = r.int()
	}
	if bits&hasContent != 0 {
		copy(id[:], r.bytes(len(id)))
	}
	if bits&hasLink != 0 {
		m.Link = r.text()
	}
	if bits&hasDevice != 0 {
		m.Major, m.Minor = uint32(r.uint()), uint32(r.uint())
	}
	if bits&hasXattrs != 0 {
		for range r.count() {
			m.Xattrs = append(m.Xattrs, buildcontext.Xattr{Name: r.text(), Value: r.text()})
		}
	}
	if bits&isUnknown != 0 {
		m.Err = buildcontext.ErrUnknown
	}
	if bits&isUnread != 0 {
		m.Err = errors.New(r.text())
	}
	var children []*buildcontext.Node
	if m.Type == buildcontext.Dir {
		if depth > maxDepth {
			r.bad, r.rest = true, nil
		}
		n := r.count()
		children = make([]*buildcontext.Node, 0, n)
		for range n {
			if r.bad {
				break
			}
			children = append(children, r.node(depth+1))
		}
	}
	node := buildcontext.NewNode(name, m, children)
	if bits&hasContent != 0 {
		node.SetContent(id)
	}
	return node
}

// forgotten is the reader of files whose contents were not recorded.
type forgotten struct{}

func (forgotten) Hash(context.Context, string, *buildcontext.Node) (buildcontext.ContentID, error) {
	return buildcontext.ContentID{}, fmt.Errorf("%w", buildcontext.ErrUnknown)
}
