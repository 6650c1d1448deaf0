package host

import (
	"os/user"
	"path/filepath"
	"testing"
)

func TestExpandHome(t *testing.T) {
	t.Setenv("HOME", "/own/home")
	self, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"~": "/own/home", "~/": "/own/home", "~/a/b": "/own/home/a/b", "/a/~": "/a/~", "a~/b": "a~/b", "": "",
		"~" + self.Username:        filepath.Clean(self.HomeDir),
		"~" + self.Username + "/x": filepath.Join(self.HomeDir, "x"),
	} {
		if got, err := ExpandHome(path); got != want || err != nil {
			t.Errorf("%q: %q, %v, want %q", path, got, err, want)
		}
	}
	if got, err := ExpandHome("~nobody at all/x"); err == nil {
		t.Errorf("an unknown user's home is %q", got)
	}
}
