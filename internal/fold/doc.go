// Package fold brings names of accounts and domains into the form in which they are
// compared: two names are one for a domain controller if they fold to the same.
//
// Active Directory compares them without regard to case, to diacritics, to the
// width of letters, to the kind of Kana and to characters that have no weight: by sort
// keys (MS-UCODEREF 3.1.5.2.4) with the flags NORM_IGNORECASE, NORM_IGNORENONSPACE,
// NORM_IGNOREWIDTH and NORM_IGNOREKANATYPE (MS-ADTS 3.1.1.2.2.4.13, 6.5.1). LDAP has no
// regard to spaces at the ends and to how many there are between words (RFC 4518
// 2.6.1), and Samba neither. So a user whom a domain controller takes for one account
// must not become two by spelling it differently.
//
// Windows makes no two accounts in one domain whose names it compares as one (KB
// 938447). Samba has regard to diacritics: it may have two accounts that fold to the
// same name, which are one user as long as their SIDs are not known.
package fold
