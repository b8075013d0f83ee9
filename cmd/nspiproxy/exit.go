package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nspiproxy/nspiproxy/policy"
)

// Exit codes of all commands. 0: done.
const (
	exitFailed = 1 // or something wrong was found
	exitUsage  = 2 // the command line is wrong
)

// exitError is an error with an exit code of its own.
type exitError struct {
	code int
	error
}

// Unwrap returns what happened.
func (e exitError) Unwrap() error { return e.error }

// errReported is the error of a command that has printed what is wrong.
var errReported = errors.New("what is wrong was printed")

// asUsage makes err, if it is one, a mistake in the command line.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return exitError{exitUsage, err}
}

// exitCode returns what the program exits with after err: 1 for an error that
// says nothing else.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	var e exitError
	if errors.As(err, &e) {
		return e.code
	}
	return exitFailed
}

// run runs the program with the arguments of a command line and returns its exit
// code. Whatever is wrong is on the standard error output then.
func run(ctx context.Context, root *cobra.Command, args []string) int {
	root.SilenceErrors, root.SilenceUsage = true, true // printed here, in one way
	root.SetArgs(args)
	strict(root)
	cmd, err := root.ExecuteContextC(ctx)
	code := exitCode(err)
	switch problems := policy.Problems(nil); {
	case err == nil, errors.Is(err, errReported):
	case errors.As(err, &problems):
		cmd.PrintErrln(problems) // each has its file and line
	default:
		cmd.PrintErrln("Error:", err)
	}
	if code == exitUsage {
		cmd.PrintErrf("'%s --help' says how it is used.\n", cmd.CommandPath())
	}
	return code
}

// strict makes mistakes in the command line of root and of all commands below it
// errors with their own exit code. Cobra prints help instead, exits with 0, or tells
// them from no other error.
func strict(root *cobra.Command) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
			err = noCommand(cmd, args) // the flag may be one of the command that was meant
		}
		return asUsage(err)
	})
	root.SetHelpCommand(newHelpCommand(root))
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	each(root, func(cmd *cobra.Command) {
		cmd.SuggestionsMinimumDistance = 2 // cobra's own default, which it sets too late
		if !cmd.Runnable() {
			cmd.Args, cmd.RunE = cobra.ArbitraryArgs, func(cmd *cobra.Command, args []string) error { return asUsage(noCommand(cmd, args)) }
			return
		}
		check := cmd.Args
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if check != nil {
				if err := check(cmd, args); err != nil {
					return asUsage(err)
				}
			}
			return asUsage(cmd.ValidateFlagGroups())
		}
	})
}

func each(cmd *cobra.Command, do func(*cobra.Command)) {
	for _, c := range cmd.Commands() {
		each(c, do)
	}
	do(cmd)
}

// noCommand says that a command which only has others below it was called by itself.
func noCommand(cmd *cobra.Command, args []string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	what := "no command"
	if len(args) > 0 {
		what = fmt.Sprintf("unknown command %q", args[0])
		if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
			return fmt.Errorf("%s: is it %s?", what, orList(similar))
		}
	}
	return fmt.Errorf("%s: expected %s", what, orList(names))
}

// newHelpCommand returns "help", which fails for a command that does not exist.
func newHelpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Say how a command is used",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return asUsage(noCommand(root, args))
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}
