package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"github.com/nspiproxy/nspiproxy/policy"
	"github.com/nspiproxy/nspiproxy/proxy"
)

func newServeCommand() *cobra.Command {
	var file configFlag
	cmd := &cobra.Command{
		Use:   "serve [--config] FILE",
		Short: "Stand between MAPI clients and domain controllers",
		Long: "Stands between MAPI clients and domain controllers as the configuration says, until it is\n" +
			"told to stop by SIGINT or SIGTERM. Then it accepts no new connection, waits for live ones as\n" +
			"long as relay.shutdown_timeout says, and ends. A second signal ends it at once. SIGHUP, SIGQUIT,\n" +
			"SIGUSR1 and SIGUSR2 are logged and ignored: a change of the configuration needs a restart.",
		RunE: func(cmd *cobra.Command, args []string) error {
			path, err := file.file(cmd, args)
			if err != nil {
				return err
			}
			config, err := policy.Load(path)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			context.AfterFunc(ctx, stop) // a second signal ends the program
			return serve(ctx, config, cmd.ErrOrStderr())
		},
	}
	file.define(cmd, "configuration file")
	return cmd
}

// serve runs the proxy until ctx ends, with its log on w.
func serve(ctx context.Context, config *policy.Config, w io.Writer) error {
	out := &logWriter{out: w}
	late := newLateWriter(out)
	defer late.close()
	log := newLogger(late, config.Log, isTerminal(w))
	ignoreSignals(ctx, func(s os.Signal) {
		log.Warn().Str("event", "signal.ignored").Stringer("signal", s).
			Msg("this signal changes nothing: a change of the configuration needs a restart")
	})
	for _, w := range config.Warnings {
		log.Warn().Str("event", "config.warning").Msg(w.Error())
	}
	reportFiles := fitFiles(config)
	config.Relay.Loops = useProcessors(config.Relay.Loops)
	server, err := proxy.New(config, proxy.Options{
		Log: newLogger(out, config.Log, isTerminal(w)), LogLost: out.lost.Load, Prober: newProber(config),
	})
	if err != nil {
		return err
	}
	reportFiles(log)
	if err := server.Start(); err != nil {
		return err
	}
	notify(log, daemon.SdNotifyReady)
	log.Info().Str("event", "ready").Int("pid", os.Getpid()).Str("version", version()).Msg("ready")
	stopping := context.AfterFunc(ctx, func() {
		notify(log, daemon.SdNotifyStopping)
		log.Info().Str("event", "stopping").Msg("told to stop: no new connections; live ones may end by themselves")
	})
	err = server.Run(ctx)
	stopping()
	log.Info().Str("event", "stopped").Msg("stopped")
	return err
}

// notify tells systemd, where it started the program.
func notify(log zerolog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn().Str("event", "systemd.error").Err(err).Msg("systemd was not told: " + state)
	}
}

// How all records are written: set before the first goroutine that writes one, since nothing guards these variables.
func init() {
	zerolog.TimeFieldFormat = time.RFC3339Nano
	zerolog.DurationFieldInteger = true
}

// newLogger writes records as the configuration says: JSON, or for people, in colours on a terminal. Both
// escape control characters.
func newLogger(w io.Writer, config policy.Log, terminal bool) zerolog.Logger {
	level, err := zerolog.ParseLevel(string(config.Level))
	if err != nil {
		level = zerolog.InfoLevel // cannot be: the configuration is checked
	}
	if config.Format == policy.LogConsole || (config.Format == policy.LogAuto && terminal) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !terminal}
	}
	return zerolog.New(w).Level(level).With().Timestamp().Logger()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
