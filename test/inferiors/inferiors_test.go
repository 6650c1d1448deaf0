package inferiors

import (
	"errors"
	"os/exec"
	"testing"
)

func TestEverySourceBuilds(t *testing.T) {
	b := &Builder{Dir: t.TempDir()}
	entries, err := sources.ReadDir("src")
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		name := entry.Name()
		switch name {
		case "linked.c", "plugin.c", "tlslinked.c", "tlsplugin.c", "tlsother.c", "work.h":
			continue
		}
		link := PIE
		switch name {
		case "registers32.S", "bitness.S":
			link = NoPIE32
		case "narrow.S":
			link = NoPIE
		}
		path, err := b.Native(name, link)
		var missing *Missing
		if errors.As(err, &missing) {
			t.Skip(err)
		}
		if err != nil {
			t.Error(err)
			continue
		}
		if _, err := exec.LookPath(path); err != nil {
			t.Error(err)
		}
	}
}

func TestLineOf(t *testing.T) {
	if line, err := LineOf("linked.c", "return a + b;"); err != nil || line != 4 {
		t.Errorf("LineOf = %d, %v; want 4", line, err)
	}
	if _, err := LineOf("linked.c", "no such text"); err == nil {
		t.Error("LineOf found a text that is not there")
	}
}
