package main

import (
	"github.com/rs/zerolog"

	"github.com/nspiproxy/nspiproxy/policy"
)

// otherFiles is how many descriptors the program needs beside two for each connection: for listeners and
// learnt ports, checks, standing connections to endpoint mappers, files and metrics.
const otherFiles = 500

// fitFiles raises the limit of open files, and lowers the number of connections to what fits: where descriptors end,
// clients are reset that were accepted already, and nothing else of the program works. It returns what says so.
func fitFiles(config *policy.Config) (report func(zerolog.Logger)) {
	files, err := raiseFileLimit()
	asked, fits := config.Relay.MaxConnections, connectionsFor(files)
	if files == 0 || asked < fits {
		fits = asked
	}
	config.Relay.MaxConnections = fits
	return func(log zerolog.Logger) {
		if err != nil {
			log.Warn().Str("event", "files.limit").Err(err).Msg("the limit of open files could not be raised")
		}
		if fits < asked {
			log.Warn().Str("event", "files.limit").Uint64("files", files).Int("needed", 2*asked+otherFiles).Int("max_connections", fits).
				Msg("this process may open too few files for relay.max_connections, which is lowered: raise LimitNOFILE of the unit (ulimit -n)")
		}
	}
}

// connectionsFor returns for how many connections so many files are enough.
func connectionsFor(files uint64) int {
	const most = 1 << 20 // more than there may be
	reserve := min(uint64(otherFiles), files/2)
	return int(max(1, min((files-reserve)/2, most)))
}
