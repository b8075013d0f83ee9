package secctx_test

import (
	"testing"

	"github.com/nspiproxy/nspiproxy/rpcparse/secctx"
	"github.com/nspiproxy/nspiproxy/rpcparse/secctx/ntlm"
)

func TestNTLMv1IsTreatedAsWithoutKeys(t *testing.T) {
	i, s := ntlmEnds()
	m := exchange(t, i, s)
	a, err := ntlm.ParseAuthenticate(m.authenticate, 0)
	must(t, 0, err)
	a.LMResponse, a.NTResponse, a.MIC = make([]byte, 24), make([]byte, 24), nil
	m.authenticate, err = ntlm.AppendAuthenticate(nil, a)
	must(t, 0, err)
	h := m.follow(&keys{password: password})
	if o := h.Outcome(); o.Result != secctx.Unsupported || h.Context() != nil {
		t.Errorf("%v %q, context %v", o.Result, o.Detail, h.Context() != nil)
	}
}
