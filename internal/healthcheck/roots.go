package healthcheck

import (
	"crypto/x509"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// trustedRoots returns the root certificates for servers: nil, which makes crypto/tls use the system's, or the embedded
// ones where the system has none, as in an image made from scratch. Both cost milliseconds and memory, so it is called
// before the first ping and not at start.
func trustedRoots(system func() (*x509.CertPool, error)) *x509.CertPool {
	pool, err := system()
	if err == nil && !pool.Equal(x509.NewCertPool()) {
		return nil
	}
	embedded := x509.NewCertPool()
	for root := range bundle.Roots() {
		cert, err := x509.ParseCertificate(root.Certificate)
		if err != nil {
			continue // one root fewer; the servers it vouches for are reported as not trusted
		}
		if root.Constraint == nil {
			embedded.AddCert(cert)
			continue
		}
		embedded.AddCertWithConstraint(cert, root.Constraint)
	}
	return embedded
}
