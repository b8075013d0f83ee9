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
	os.Exit(exitCode(newRootCommand().ExecuteContext(context.Background())))
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:     "nspiproxy",
		Short:   "Limit NSPI sessions per user in front of domain controllers",
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
