package daemon

import (
	"fmt"
	"os"
	"strings"

	"github.com/google/renameio/v2"
)

// loadSystemImages stores the images that clusters are made of, when the
// programs' archives are not those loaded last.
func (d *Daemon) loadSystemImages() error {
	var stamp strings.Builder
	for _, archive := range d.programs.Images() {
		info, err := os.Stat(archive)
		if err != nil {
			return err
		}
		fmt.Fprintln(&stamp, archive, info.Size(), info.ModTime().UnixNano())
	}
	path := d.config.state("images/system.stamp")
	if old, err := os.ReadFile(path); err == nil && string(old) == stamp.String() {
		return nil
	}
	for _, archive := range d.programs.Images() {
		if _, err := d.images.Load(archive); err != nil {
			return fmt.Errorf("loading %s: %w", archive, err)
		}
	}
	return renameio.WriteFile(path, []byte(stamp.String()), 0o600)
}
