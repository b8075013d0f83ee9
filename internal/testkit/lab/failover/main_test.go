//go:build lab

package failover

import (
	"os"
	"testing"

	"github.com/nspiproxy/nspiproxy/internal/testkit/lab"
)

func TestMain(m *testing.M) { os.Exit(lab.Main(m)) }
