// Package balancer shows proxies behind a load balancer: that the operator's page works as written, and whose PROXY protocol
// headers are believed.
package balancer
