package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/signal"
	"syscall"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/nspiproxy/nspiproxy/internal/demo"
)

func newDemoCommand() *cobra.Command {
	var once, asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Show the proxy at work in front of a simulated domain controller",
		Long: "Starts a simulated domain controller, the proxy in front of it, a well-behaved client and a\n" +
			"client that never unbinds, all on loopback, and prints what happens until interrupted.\n" +
			"With --once it runs through in seconds, compares the counts of all sides and exits with 1\n" +
			"if they disagree; with --json it prints the result as one JSON object.",
		Args: exactly(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			if once || asJSON {
				return demoOnce(ctx, cmd, asJSON)
			}
			return demo.Live(ctx, cmd.OutOrStdout(), isTerminal(cmd.OutOrStdout()))
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "run through once and compare the counts")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON; implies --once")
	return cmd
}

func demoOnce(ctx context.Context, cmd *cobra.Command, asJSON bool) error {
	log := zerolog.Nop()
	if !asJSON {
		log = zerolog.New(zerolog.SyncWriter(zerolog.ConsoleWriter{Out: cmd.ErrOrStderr(), NoColor: !isTerminal(cmd.ErrOrStderr())})).Level(zerolog.InfoLevel).With().Timestamp().Logger()
	}
	r, err := demo.Once(ctx, log)
	if err != nil {
		return err
	}
	if asJSON {
		err = json.NewEncoder(cmd.OutOrStdout()).Encode(r)
	} else {
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "granted %d, unbound %d, refused %d; held at the end %d, by the domain controller %d; leaked slots %d\n",
			r.Granted, r.Unbound, r.Refused, r.HeldAtEnd, r.ExpectedAtEnd, r.LeakedSlots)
	}
	if err != nil {
		return err
	}
	return r.Err()
}
