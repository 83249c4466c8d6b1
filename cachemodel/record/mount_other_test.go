//go:build unix && !linux

package record

import "errors"

func mountTmpfs(string) error { return errors.ErrUnsupported }
