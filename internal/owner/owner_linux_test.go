package owner

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFilesOfRootBelongToWhomTheFolderDoes(t *testing.T) {
	folder := t.TempDir()
	if os.Geteuid() == 0 {
		if err := os.Chown(folder, 65534, 65533); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(folder, "state"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 { // the second time there is nothing to do
		if err := OfFolder(f); err != nil {
			t.Fatal(err)
		}
		want, _ := owner(os.Stat(folder))
		if got, err := owner(f.Stat()); err != nil || os.Geteuid() == 0 && got != want || os.Geteuid() != 0 && got.user != os.Geteuid() {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
}
