package directory

import (
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
)

// staleTTL is how long an answer is used while the directory does not give another one. A
// SID does not change within a domain; groups may.
const staleTTL = 24 * time.Hour

// known is an answer, and when it was given.
type known struct {
	result Result
	at     time.Time
}

// cache remembers answers by the key of the name. Names without an account are
// kept apart, because clients can make them up, and must not displace real ones.
//
// Each of the two has a goroutine that removes what has expired, for as long as
// the program runs: the library cannot stop it. A program has one Directory.
type cache struct {
	known   *expirable.LRU[string, known]
	unknown *expirable.LRU[string, error]
	fresh   time.Duration // after which a known answer is stale
}

func newCache(c Config) *cache {
	return &cache{
		fresh:   c.PositiveTTL,
		known:   expirable.NewLRU[string, known](c.CacheSize, nil, max(c.PositiveTTL, staleTTL)),
		unknown: expirable.NewLRU[string, error](c.CacheSize, nil, c.NegativeTTL),
	}
}

// get returns what is remembered for a key: a result, which may be stale, or the error instead of
// one. Results share their groups: callers must not change them.
func (c *cache) get(key string) (a remembered, ok bool) {
	if k, ok := c.known.Get(key); ok {
		return remembered{result: k.result, stale: time.Since(k.at) > c.fresh}, true
	}
	a.err, ok = c.unknown.Get(key)
	return a, ok
}

// remembered is an answer from memory.
type remembered struct {
	result Result
	err    error // instead of the result
	stale  bool  // another answer is due
}

// put remembers an answer of the directory, and nothing else.
func (c *cache) put(key string, result Result, err error) {
	switch {
	case err == nil:
		c.known.Add(key, known{result, time.Now()})
		c.unknown.Remove(key)
	case final(err):
		c.known.Remove(key)
		c.unknown.Add(key, err)
	}
}

func (c *cache) purge() {
	c.known.Purge()
	c.unknown.Purge()
}
