// Package fold brings names of accounts and domains into the form in which they are
// compared: two names are one for a domain controller if they fold to the same.
//
// Active Directory compares them without regard to case, to diacritics, to the
// width of letters, to the kind of Kana and to characters that have no weight
// (MS-ADTS 3.1.1.2.2.4.13 with the flags of MS-UCODEREF 3.1.5.2.4: NORM_IGNORECASE,
// NORM_IGNORENONSPACE, NORM_IGNOREWIDTH, NORM_IGNOREKANATYPE), and LDAP without
// regard to spaces at the ends and to how many there are between words (RFC 4518
// 2.6.1). So a user whom a domain controller takes for one account must not become
// two by spelling it differently. That two accounts of one domain fold to the same
// name is not possible on Windows, for the same reason.
package fold
