package main

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/standby"
)

// newStandbyCommand returns "nspiproxy standby".
func newStandbyCommand() *cobra.Command {
	var file configFlag
	cmd := &cobra.Command{
		Use:   "standby [--config] FILE",
		Short: "Tell the running program that another machine has taken over the path",
		Long: "For the hook of keepalived, or of another program that moves the path of clients from this router\n" +
			"to one beside it: the program that runs with that configuration resets the connections of its\n" +
			"transparent listeners on both sides, so that clients come again through the other router and\n" +
			"domain controllers end their sessions. Where a domain controller cannot be reached, that waits\n" +
			"until it can. Connections that come afterwards are served as always, so there is nothing to tell\n" +
			"it when this machine is back in the path. Without a running program it does nothing.",
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := file.file(cmd, args)
			if err != nil {
				return err
			}
			config, err := policy.Load(path)
			if err != nil {
				return err
			}
			return stand(cmd, config)
		},
	}
	file.define(cmd, "configuration file of the running program")
	return cmd
}

// stand tells the running program, and says what became of its connections.
func stand(cmd *cobra.Command, config *policy.Config) error {
	result, err := standby.Call(cmd.Context(), config.Transparent.StandbySocket())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		cmd.PrintErrln("the program does not run: there is nothing to end")
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d connections ended, %d wait until their domain controllers can be reached\n", result.Ended, result.Waiting)
	return err
}
