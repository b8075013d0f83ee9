package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// configFlag is the configuration file of a command line: --config FILE, or FILE by
// itself.
type configFlag struct{ path string }

// define adds the flag and the argument to cmd.
func (c *configFlag) define(cmd *cobra.Command, usage string) {
	cmd.Flags().StringVarP(&c.path, "config", "c", "", usage)
	_ = cmd.MarkFlagFilename("config", "yaml", "yml") // the flag exists
	cmd.Args = atMostFile
}

// file returns the file of a command line with these arguments.
func (c *configFlag) file(cmd *cobra.Command, args []string) (string, error) {
	given := cmd.Flags().Changed("config")
	switch {
	case given && len(args) > 0:
		return "", asUsage(fmt.Errorf("two configuration files: %q and --config %q", args[0], c.path))
	case len(args) > 0 && args[0] != "":
		return args[0], nil
	case c.path != "":
		return c.path, nil
	}
	return "", asUsage(errors.New("no configuration file: expected " + cmd.CommandPath() + " --config FILE"))
}

// orList lists texts for an error: "a, b or c".
func orList(texts []string) string {
	if len(texts) < 2 {
		return strings.Join(texts, "")
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}

// exactly takes the arguments of these names, and no other.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return fmt.Errorf("%s is missing", names[len(args)])
		case len(args) > len(names):
			return fmt.Errorf("unexpected argument %q", args[len(names)])
		}
		return nil
	}
}

// atMostFile takes one configuration file at most.
func atMostFile(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("unexpected argument %q: a command has one configuration file", args[1])
	}
	return nil
}
