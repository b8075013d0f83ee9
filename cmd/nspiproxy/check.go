package main

import (
	"errors"
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
	var path string
	cmd := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Validate a configuration file and print the effective policy",
		Long: "Validates everything that can be validated without the network,\n" +
			"the keys in keytabs among it.\n" +
			"Prints the effective policy and warnings and exits with 0,\n" +
			"or prints every error with file and line and exits with 1.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return check(cmd, path) },
	}
	cmd.Flags().StringVarP(&path, "config", "c", "", "configuration file")
	if err := cmd.MarkFlagRequired("config"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func check(cmd *cobra.Command, path string) error {
	cmd.SilenceUsage = true
	cmd.SilenceErrors = true // printed here: Problems have lines of their own
	cfg, err := policy.Load(path)
	if err != nil {
		var problems policy.Problems
		if errors.As(err, &problems) {
			cmd.PrintErrln(err)
			return fmt.Errorf("%s: %d errors", path, len(problems))
		}
		cmd.PrintErrln("Error:", err)
		return err
	}
	counting, err := proxy.Counting(cfg)
	if err != nil {
		err = fmt.Errorf("%s: identity.keytabs: %w", path, err)
		cmd.PrintErrln("Error:", err)
		return err
	}
	if err := cfg.Describe(cmd.OutOrStdout(), counting); err != nil {
		return err
	}
	for _, w := range cfg.Warnings {
		cmd.PrintErrln("warning:", w.Error())
	}
	return nil
}
