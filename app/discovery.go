package app

import (
	"net/http"
)

// discovery says where the keys lie with which the id_tokens of jobs are checked. There is no sign-in for others here, so
// that a document of OpenID Connect names nothing else.
func (n *Node) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer": n.URL, "jwks_uri": n.URL + "/oauth/discovery/keys",
		"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"RS256"},
		"claims_supported": []string{
			"iss", "sub", "aud", "exp", "iat", "nbf", "jti", "namespace_id", "namespace_path", "project_id", "project_path", "user_id", "user_login",
			"user_email", "user_access_level", "pipeline_id", "pipeline_source", "job_id", "ref", "ref_type", "ref_path", "ref_protected",
			"environment", "environment_protected", "deployment_tier", "environment_action", "runner_id", "runner_environment", "sha",
			"project_visibility", "ci_config_ref_uri", "ci_config_sha",
		},
	})
}

// publicKeys is the JWKS document.
func (n *Node) publicKeys(w http.ResponseWriter, r *http.Request) {
	keys, err := n.CI.PublicKeys(r.Context())
	if err != nil {
		n.log.ErrorContext(r.Context(), "keys of id_tokens cannot be read", "error", err)
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"message": "503 Service Unavailable"})
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=3600")
	writeJSON(w, http.StatusOK, keys)
}
