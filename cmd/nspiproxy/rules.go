package main

import (
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy/transparent"
)

// newRulesCommand returns "nspiproxy rules": the nftables rules and routes that
// lead connections to transparent listeners.
func newRulesCommand() *cobra.Command {
	var file configFlag
	var apply, remove, onStop bool
	cmd := &cobra.Command{
		Use:   "rules {[--config] FILE [--apply] | --remove | --on-stop}",
		Short: "Print, apply or remove the rules that lead connections to transparent listeners",
		Long: "Prints a shell script with the nftables rules and the routes for the transparent listeners of\n" +
			"a configuration, with the ports that were learnt so far. With --apply they are put in force\n" +
			"instead, all of them or none; without a transparent listener those of an earlier configuration\n" +
			"are removed. With --remove those in force are removed, whatever their\n" +
			"configuration was. Nothing else is touched: the rules have a table of their own (inet\n" +
			transparent.TableName + "), the routes a protocol number of their own. --on-stop is for the service manager: rules that\n" +
			"were made with transparent.when_down: open take no connection any more, others stay in force.\n" +
			"A program that serves puts the rules of its own configuration in force again, whatever is done here.",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case (remove || onStop) && len(args) > 0:
				return asUsage(fmt.Errorf("%q: the rules that are in force need no configuration file", args[0]))
			case remove:
				return transparent.Remove()
			case onStop:
				return rulesOnStop(cmd)
			}
			path, err := file.file(cmd, args)
			if err != nil {
				return err
			}
			return rules(cmd, path, apply)
		},
	}
	file.define(cmd, "configuration file; not needed to remove rules")
	cmd.Flags().BoolVar(&apply, "apply", false, "put the rules in force")
	cmd.Flags().BoolVar(&remove, "remove", false, "remove the rules that are in force")
	cmd.Flags().BoolVar(&onStop, "on-stop", false, "let clients pass, if transparent.when_down said so")
	cmd.MarkFlagsMutuallyExclusive("apply", "remove", "on-stop")
	return cmd
}

// rules prints the rules of a configuration, or puts them in force.
func rules(cmd *cobra.Command, path string, apply bool) error {
	config, err := policy.Load(path)
	if err != nil {
		return err
	}
	plan := transparent.New(config)
	if plan.Empty() && apply {
		return removeLeft(cmd)
	}
	var learnt []netip.AddrPort
	if !plan.Empty() {
		// Without them the rules are good too: the proxy adds what it learns.
		if learnt, err = transparent.ReadPorts(string(config.Transparent.StateFile)); err != nil {
			cmd.PrintErrln("warning:", err)
		}
	}
	if !apply {
		_, err := fmt.Fprint(cmd.OutOrStdout(), plan.Script(learnt, path))
		return err
	}
	for _, problem := range plan.Check() {
		cmd.PrintErrln("warning:", problem)
	}
	if err := plan.Possible().Apply(learnt); err != nil {
		return err
	}
	if err := plan.CheckRouting(); err != nil {
		cmd.PrintErrln("warning:", err)
	}
	return nil
}

// removeLeft takes away what an earlier configuration needed: its rules would lead
// clients to a port on which nothing listens.
func removeLeft(cmd *cobra.Command) error {
	removed, err := transparent.RemoveLeft()
	if removed {
		cmd.PrintErrln("no listener is transparent: the rules of an earlier configuration were removed")
	} else if err == nil {
		cmd.PrintErrln("no listener is transparent: no rules are needed, and there are none")
	}
	return err
}

// rulesOnStop says what was done: it stands in the service manager's journal.
func rulesOnStop(cmd *cobra.Command) error {
	opened, err := transparent.OnStop()
	if opened {
		cmd.PrintErrln("the rules take no connection any more: clients reach domain controllers directly")
	}
	return err
}
