package directory

import "github.com/hashicorp/golang-lru/v2/expirable"

// cache remembers answers by the key of the name. Names without an account are
// kept apart, because clients can make them up, and must not displace real ones.
//
// Each of the two has a goroutine that removes what has expired, for as long as
// the program runs: the library cannot stop it. A program has one Directory.
type cache struct {
	known   *expirable.LRU[string, Result]
	unknown *expirable.LRU[string, error]
}

func newCache(c Config) *cache {
	return &cache{
		known:   expirable.NewLRU[string, Result](c.CacheSize, nil, c.PositiveTTL),
		unknown: expirable.NewLRU[string, error](c.CacheSize, nil, c.NegativeTTL),
	}
}

// get returns what is remembered for a key: a result, or the error instead of
// one. Results share their groups: callers must not change them.
func (c *cache) get(key string) (Result, error, bool) { //nolint:revive // the error is the remembered answer, not a failure of get
	if result, ok := c.known.Get(key); ok {
		return result, nil, true
	}
	err, ok := c.unknown.Get(key)
	return Result{}, err, ok
}

// put remembers an answer of the directory, and nothing else.
func (c *cache) put(key string, result Result, err error) {
	switch {
	case err == nil:
		c.known.Add(key, result)
		c.unknown.Remove(key)
	case final(err):
		c.unknown.Add(key, err)
	}
}

func (c *cache) purge() {
	c.known.Purge()
	c.unknown.Purge()
}
