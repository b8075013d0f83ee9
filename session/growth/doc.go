// Package growth judges from the sessions that a client holds whether it loses them.
//
// A [Series] follows one client of one user, or one user. It is given each bind and each
// end of a session with the time at which it happened, and keeps of it, in less than 1 KiB:
//
//	levels  sessions held at the end of each five minutes of the last six hours, and of the
//	        binds in each of them how many have had their unbind (series.go)
//	rates   binds and ends of the last hour by minute, of the last minute by five seconds (rates.go)
//	peaks   the highest levels of the last eight days (peaks.go)
//
// [Series.Judge] makes a [Verdict] of that:
//
//	burst    the level rises above what was held within eight days, but for the last hour, by
//	         six sessions at least; sessions are added in four of the last twelve spans of
//	         five seconds, in each of the last three minutes, or in seven of the last twenty;
//	         and at that rate, the largest step left out, the limit is no further than ten
//	         minutes, in the last case an hour. For twenty minutes also: it has come to the
//	         limit in this time (burst.go)
//	leaking  over the last six hours, or the last two, the slope of the level by the estimate of
//	         Theil and Sen has a lower bound of 95 % above zero, each quarter's median is
//	         above that of the quarter before, and of the binds of the six hours that are older
//	         than ten minutes fewer than half have had their unbind (slope.go)
//	heavy    neither, and more than 60 % of the limit are held
//	normal   none of these
//
// Below a quarter of the limit, or 12 sessions without one, nothing is leaking or heavy. An
// estimate needs twelve levels, which is an hour. A leak that was found is one until less than
// half of its sessions are left, or until it has not gone on for a day although the limit let
// it: it may pause at night. Only a leak has a forecast, because only its rise is known to go on.
//
// What these rules find, and what they take for a leak that is none, is measured by a
// simulation of a company (simulation_test.go).
//
// The package is pure: times are those of the caller's clock, and a Series is not safe for
// concurrent use.
package growth
