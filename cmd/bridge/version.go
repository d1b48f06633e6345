package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// Set when the binary is built: -ldflags "-X main.version=… -X main.commit=…".
var version, commit string

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print version, commit and Go version",
		Example: "  bridge version",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			v, c := built()
			_, err := fmt.Fprintf(a.out, "bridge %s\ncommit %s\n%s %s/%s\n", v, c, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

// built is what is known of the binary: what it was told, or else what the Go toolchain noted.
func built() (v, c string) {
	v, c = version, commit
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return cmp.Or(v, "devel"), cmp.Or(c, "unknown")
	}
	modified := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			c = cmp.Or(c, s.Value)
		case s.Key == "vcs.modified" && s.Value == "true" && commit == "":
			modified = " (modified)"
		}
	}
	if info.Main.Version != "(devel)" {
		v = cmp.Or(v, info.Main.Version)
	}
	return cmp.Or(v, "devel"), cmp.Or(c, "unknown") + modified
}
