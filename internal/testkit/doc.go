// Package testkit has no code of its own. The folders below it are what only tests and the demonstration need:
//
//	simdc        a simulated domain controller: it judges the proxy, and shares the wire formats with it and nothing above
//	closedport   a port that refuses connections
//	captures     the PDUs of captures of real peers, and of the golden conversations, with the keys that are known
//	capturetest  captures made by hand
//	mutate       conversations that are broken in every way
//	soak         the whole program carries them, and nothing may be left
//	oracle       what nspiproxy decode says, compared with what tshark says
//	lab          nspiproxy among real programs; its tests are in folders below it
//	kdc          a simulated KDC
//	loopback     servers of a few lines
//	module       where the files of this module are
package testkit
