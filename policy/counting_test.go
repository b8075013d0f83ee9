package policy

import "testing"

func TestWhatIsSaidOfNTLMDependsOnADirectoryThatIsDown(t *testing.T) {
	const known = "by SID from the directory; by account name where it does not know the account"
	for mode, want := range map[WhenDown]string{
		WhenDownClaimed: known + " or does not answer",
		WhenDownRefuse:  known + "; refused while it does not answer",
	} {
		c := Defaults()
		c.Identity.Directory.URL, c.Identity.Directory.WhenDown = "ldaps://dc1.corp.example", mode
		if got := c.Identity.Counting()[1]; got.Who != "NTLM" || got.How != want {
			t.Errorf("%s: %+v, want %q", mode, got, want)
		}
	}
}
