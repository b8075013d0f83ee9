// Command nspiproxy stands between MAPI clients and domain controllers and
// limits NSPI sessions per user.
package main

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func main() {
	os.Exit(run(context.Background(), newRootCommand(), os.Args[1:]))
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "nspiproxy",
		Short: "Limit NSPI sessions per user in front of domain controllers",
		Long: "Limits NSPI sessions per user in front of domain controllers.\n\n" +
			"Exit codes of all commands: 0 done, 1 failed or something wrong was found, 2 the command line is\n" +
			"wrong. probe has one more.",
		Version: version(),
	}
	root.AddCommand(newServeCommand(), newCheckCommand(), newRulesCommand(), newStandbyCommand(), newProbeCommand(), newDecodeCommand(), newDemoCommand())
	return root
}

// version returns what the Go toolchain knows about this build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}
