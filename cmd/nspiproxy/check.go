package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy"
)

// newCheckCommand returns "nspiproxy check": it validates a configuration file
// as far as that is possible without the network, and prints the effective
// policy to standard output and warnings to standard error. It fails with every
// error of the file.
func newCheckCommand() *cobra.Command {
	var config configFlag
	cmd := &cobra.Command{
		Use:   "check [--config] FILE",
		Short: "Validate a configuration file and print the effective policy",
		Long: "Validates everything that can be validated without the network,\n" +
			"the keys in keytabs among it.\n" +
			"Prints the effective policy and warnings and exits with 0,\n" +
			"or prints every error with file and line and exits with 1.",
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := config.file(cmd, args)
			if err != nil {
				return err
			}
			return check(cmd, path)
		},
	}
	config.define(cmd, "configuration file")
	return cmd
}

func check(cmd *cobra.Command, path string) error {
	cfg, err := policy.Load(path)
	if err != nil {
		return err
	}
	counting, err := proxy.Counting(cfg)
	if err != nil {
		return fmt.Errorf("%s: identity.keytabs: %w", path, err)
	}
	if err := cfg.Describe(cmd.OutOrStdout(), counting); err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		cmd.PrintErrln("warning:", w.Error())
	}
	return nil
}
