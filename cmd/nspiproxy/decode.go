package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nspiproxy/nspiproxy/proxy/capture"
	"github.com/nspiproxy/nspiproxy/proxy/capture/listing"
)

func newDecodeCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "decode FILE",
		Short: "List the DCE/RPC PDUs in a capture file",
		Long: `List the DCE/RPC PDUs in a pcap or pcapng file, what they mean and whose they are.
FILE may be compressed with gzip, bzip2, zstd or xz; - is the standard input.

DCE/RPC over TCP is found by its content on any port. Rows come in the order of the
frames that complete the PDUs; streams are numbered like Wireshark's tcp.stream.
What the capture lacks, and how many frames could not be read and why, is told on
the standard error output, with --format json as one object a line, too. If the file
cannot be read to its end, what was read is printed and the exit status is 1.

  text  for people
  tsv   a header line, then ` + strings.Join(listing.Columns(), " ") + `
  json  one object a line, with all fields of the PDU and of the events`,
		Args: exactly("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return decodeFile(args[0], format, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&format, "format", "text", strings.Join(listing.Formats(), ", "))
	return cmd
}

// decodeFile prints what is in the file; "-" is the standard input.
func decodeFile(name, format string, out, notes io.Writer) error {
	w, err := listing.NewWriter(format, out)
	if err != nil {
		return asUsage(err)
	}
	file := os.Stdin
	if name != "-" {
		if file, err = os.Open(name); err != nil {
			return err
		}
		defer file.Close()
	}
	err = decode(file, w, notesFor(format, notes))
	if flushed := w.Flush(); err == nil {
		err = flushed
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func decode(file io.Reader, w listing.Writer, n decodeNotes) error {
	r, err := capture.NewReader(file)
	if err != nil {
		return err
	}
	r.Note = n.note
	defer func() { n.summary(r) }()
	var l listing.Lister
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := w.Write(l.Row(p)); err != nil {
			return err
		}
	}
}
