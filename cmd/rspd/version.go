package main

import (
	"fmt"
	"runtime/debug"
)

// version is the release that this source leads to; a build from a checkout
// names its commit as well.
const version = "0.1"

func versionText() string {
	return fmt.Sprintf(`rspd %s
A GDB remote serial protocol server, in place of GNU gdbserver.
MIT License.  There is no warranty.
This rspd was configured as "x86_64-linux-gnu"
`, versionNumber())
}

func versionNumber() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version
	}
	return version + " " + buildVersion(info)
}

// buildVersion is the module's version if the program was installed by
// one, otherwise the commit it was built from.
func buildVersion(info *debug.BuildInfo) string {
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, modified := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = ", modified"
		}
	}
	if revision == "" {
		return "(development build)"
	}
	return "(development build, commit " + revision[:min(12, len(revision))] + modified + ")"
}
