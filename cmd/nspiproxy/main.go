// Command nspiproxy stands between MAPI clients and domain controllers and
// limits NSPI sessions per user.
package main

import (
	"os"

	"github.com/spf13/cobra"
)

func main() {
	if err := newRootCommand().Execute(); err != nil {
		os.Exit(1)
	}
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "nspiproxy",
		Short: "Limit NSPI sessions per user in front of a domain controller",
	}
	root.AddCommand(newCheckCommand())
	return root
}
