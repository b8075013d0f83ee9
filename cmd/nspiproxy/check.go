package main

import (
	"fmt"
	"os"

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
	var noFiles bool
	cmd := &cobra.Command{
		Use:   "check [--config] FILE",
		Short: "Validate a configuration file and print the effective policy",
		Long: "Validates everything that can be validated without the network, and reads the files that the\n" +
			"configuration names (keytabs, passwords, certificates, krb5.conf) as serve does when it starts: run\n" +
			"it where the program will run, as the same user, or with --no-files elsewhere.\n" +
			"Prints the effective policy, warnings and what does not fit this machine, and exits with 0,\n" +
			"or prints every error with file, line and column and exits with 1.",
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := config.file(cmd, args)
			if err != nil {
				return err
			}
			if noFiles {
				return checkText(cmd, path)
			}
			return check(cmd, path)
		},
	}
	config.define(cmd, "configuration file")
	cmd.Flags().BoolVar(&noFiles, "no-files", false, "look neither at the files that it names nor at this machine: it is for another one")
	return cmd
}

func check(cmd *cobra.Command, path string) error {
	cfg, err := policy.Load(path)
	if err != nil {
		return err
	}
	counting, err := proxy.Check(cfg)
	if err != nil {
		return err
	}
	return report(cmd, cfg, counting, proxy.Machine(cfg))
}

// checkText checks the text of a configuration alone.
func checkText(cmd *cobra.Command, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	cfg, err := policy.Parse(path, text)
	if err != nil {
		return err
	}
	return report(cmd, cfg, cfg.Identity.Counting(), nil)
}

// report prints what is in force, and what is remarkable about it.
func report(cmd *cobra.Command, cfg *policy.Config, counting []policy.Counting, machine []policy.Problem) error {
	if err := cfg.Describe(cmd.OutOrStdout(), counting); err != nil {
		return fmt.Errorf("printing the policy: %w", err)
	}
	for _, w := range cfg.Warnings {
		cmd.PrintErrln("warning:", w.Error())
	}
	for _, p := range machine {
		cmd.PrintErrln("on this machine:", p.Error())
	}
	return nil
}
