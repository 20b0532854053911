package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"
)

// version and commit are set at link time; else the module's version and the version control's stamp are used.
var version, commit string

func newVersionCommand(std streams) *cobra.Command {
	output := ""
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this binary",
		Example: "  loadline version\n  loadline version --output json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			b := readBuild()
			return writeAs(std.out, output, b, func() error {
				_, err := fmt.Fprintf(std.out, "loadline %s (commit %s, %s, %s)\n", b.Version, b.Commit, b.GoVersion, b.Platform)
				return err
			})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", output, "json or yaml; without it one line for people")
	completes(cmd, "output", "json", "yaml")
	return cmd
}

// build is what this binary was made of.
type build struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	GoVersion string `json:"goVersion"`
	Platform  string `json:"platform"`
}

func readBuild() build {
	b := build{Version: version, Commit: commit, GoVersion: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		stamp := map[string]string{}
		for _, s := range info.Settings {
			stamp[s.Key] = s.Value
		}
		b.Version = cmp.Or(b.Version, info.Main.Version)
		b.Commit = cmp.Or(b.Commit, stamp["vcs.revision"])
	}
	b.Version, b.Commit = cmp.Or(b.Version, "unknown"), cmp.Or(b.Commit, "unknown")
	return b
}

// registerBuild publishes what runs here, one series for each part.
func registerBuild(registerer prometheus.Registerer, parts []string) error {
	b := readBuild()
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "loadline_build_info",
		Help: "1 for each part of Loadline that runs in the process, with the version and commit of the program.",
	}, []string{"part", "version", "commit"})
	for _, part := range parts {
		info.WithLabelValues(part, b.Version, b.Commit).Set(1)
	}
	if err := registerer.Register(info); err != nil {
		return fmt.Errorf("register the build's metric: %w", err)
	}
	return nil
}
