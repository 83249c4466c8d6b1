package textfile

import (
	"os"
	"path/filepath"
	"slices"
)

// installers are directories by the names that package managers give them, each with files of which one shows that it
// is theirs; none where the name does.
var installers = map[string][]string{
	"node_modules": nil, "__pycache__": nil, "vendor": {"modules.txt", "autoload.php", "bundle"},
	"venv": {"pyvenv.cfg"}, ".venv": {"pyvenv.cfg"},
}

// Installed reports whether a directory holds what a package manager put there: files that other people write.
func Installed(dir string) bool {
	marks, known := installers[filepath.Base(dir)]
	return known && (marks == nil || slices.ContainsFunc(marks, func(name string) bool {
		_, err := os.Lstat(filepath.Join(dir, name))
		return err == nil
	}))
}
