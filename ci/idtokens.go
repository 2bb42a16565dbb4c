package ci

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/google/uuid"

	"signalbox/ci/access"
	"signalbox/ci/variable"
	"signalbox/models"
	"signalbox/models/enum"
)

// The key that signs id_tokens, and the place that it is sealed for.
const (
	signingName  = "id_tokens"
	signingPlace = "signing_keys.key/id_tokens"
)

// signingKey is the key of the instance that signs id_tokens, and its name in the JWKS document.
type signingKey struct {
	key *rsa.PrivateKey
	id  string
}

// signing reads the key, or makes it the first time.
func (c *Coordinator) signing(ctx context.Context) (*signingKey, error) {
	if k := c.signer.Load(); k != nil {
		return k, nil
	}
	row, err := c.storedKey(ctx)
	if errors.Is(err, models.ErrNotFound) {
		if err := c.makeKey(ctx); err != nil {
			return nil, err
		}
		row, err = c.storedKey(ctx)
	}
	if err != nil {
		return nil, err
	}
	plain, err := c.keys.Open(signingPlace, row.Key)
	if err != nil {
		return nil, fmt.Errorf("key of id_tokens: %w", err)
	}
	raw, err := base64.StdEncoding.DecodeString(plain)
	if err != nil {
		return nil, fmt.Errorf("key of id_tokens: %w", err)
	}
	key, err := x509.ParsePKCS1PrivateKey(raw)
	if err != nil {
		return nil, fmt.Errorf("key of id_tokens: %w", err)
	}
	sum := sha256.Sum256(x509.MarshalPKCS1PublicKey(&key.PublicKey))
	k := &signingKey{key, hex.EncodeToString(sum[:16])}
	c.signer.Store(k)
	return k, nil
}

func (c *Coordinator) storedKey(ctx context.Context) (row *models.SigningKey, err error) {
	err = c.db.Read(ctx, func(tx *models.Tx) error {
		row, err = tx.SigningKey(signingName)
		return err
	})
	return row, err
}

// makeKey stores a new key, unless another node was faster.
func (c *Coordinator) makeKey(ctx context.Context) error {
	fresh, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	sealed := c.keys.Seal(signingPlace, base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PrivateKey(fresh)))
	err = c.db.Write(ctx, func(tx *models.Tx) error { return tx.AddSigningKey(&models.SigningKey{Name: signingName, Key: sealed}) })
	if errors.Is(err, models.ErrDuplicate) {
		return nil
	}
	return err
}

// PublicKeys is the JWKS document with which others check id_tokens.
func (c *Coordinator) PublicKeys(ctx context.Context) (jose.JSONWebKeySet, error) {
	k, err := c.signing(ctx)
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &k.key.PublicKey, KeyID: k.id, Algorithm: string(jose.RS256), Use: "sig"}}}, nil
}

// idTokens signs the tokens that a job asks for (facts: pipeline-semantics 7.6). They end with the job's timeout.
func (c *Coordinator) idTokens(ctx context.Context, f *jobFacts, known variable.Collection, timeout int) (variable.Collection, error) {
	if len(f.definition.IDTokens) == 0 {
		return nil, nil
	}
	k, err := c.signing(ctx)
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: k.key}, (&jose.SignerOptions{}).WithType("JWT").WithHeader("kid", k.id))
	if err != nil {
		return nil, err
	}
	claims, err := c.claims(ctx, f, known)
	if err != nil {
		return nil, err
	}
	now := c.db.Now()
	var out variable.Collection
	names := make([]string, 0, len(f.definition.IDTokens))
	for name := range f.definition.IDTokens {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		var audience []string
		for _, a := range f.definition.IDTokens[name] {
			audience = append(audience, known.Expand(a, false))
		}
		claims["aud"] = audience
		if len(audience) == 1 {
			claims["aud"] = audience[0]
		}
		claims["iat"], claims["nbf"] = now.Unix(), now.Add(-5*time.Second).Unix()
		claims["exp"], claims["jti"] = now.Add(time.Duration(timeout)*time.Second).Unix(), uuid.NewString()
		token, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			return nil, err
		}
		out = append(out, variable.Variable{Key: name, Value: token, Masked: true, Raw: true})
	}
	return out, nil
}

// claims are what id_tokens say of a job: GitLab's names, ids as texts.
func (c *Coordinator) claims(ctx context.Context, f *jobFacts, known variable.Collection) (map[string]any, error) {
	get := func(key string) string { v, _ := known.Get(key); return v }
	var level string
	place, guarded := f.environmentFacts(), false
	err := c.db.Read(ctx, func(tx *models.Tx) error {
		subject, err := access.SubjectOf(tx, access.Actor{User: f.user}, f.project)
		if level = strings.ToLower(min(subject.Level, enum.Owner).String()); err != nil || place.Name == "" {
			return err
		}
		_, err = tx.ProtectedEnvironment(f.project.ID, place.Name)
		guarded = err == nil
		return notThere(err)
	})
	ref := sourceRef(f.pipeline, f.merge)
	kind, full := "branch", "refs/heads/"+ref
	if f.pipeline.Tag {
		kind, full = "tag", "refs/tags/"+ref
	}
	p := f.project
	namespace := strings.TrimSuffix(p.FullPath, "/"+p.Path)
	id := func(n int64) string { return strconv.FormatInt(n, 10) }
	parts := map[string]string{"project_path": p.FullPath, "ref_type": kind, "ref": ref}
	components := p.Settings.SubClaimComponents
	if len(components) == 0 {
		components = []string{"project_path", "ref_type", "ref"}
	}
	var subject []string
	for _, part := range components {
		subject = append(subject, part+":"+parts[part])
	}
	claims := map[string]any{
		"iss": c.settings.URL, "sub": strings.Join(subject, ":"),
		"namespace_id": id(p.NamespaceID), "namespace_path": namespace, "project_id": id(p.ID), "project_path": p.FullPath,
		"job_namespace_id": id(p.NamespaceID), "job_namespace_path": namespace, "job_project_id": id(p.ID), "job_project_path": p.FullPath,
		"user_id": id(f.user.ID), "user_login": f.user.Username, "user_email": f.user.Email, "user_access_level": level,
		"pipeline_id": id(f.pipeline.ID), "pipeline_source": string(f.pipeline.Source), "job_id": id(f.job.ID),
		"ref": ref, "ref_type": kind, "ref_path": full, "ref_protected": strconv.FormatBool(f.pipeline.Protected),
		"runner_id": f.runner.ID, "runner_environment": "self-hosted", "sha": f.pipeline.SHA, "project_visibility": string(p.Visibility),
		"ci_config_ref_uri": get("CI_CONFIG_REF_URI"), "ci_config_sha": f.pipeline.SHA,
	}
	if place.Name != "" {
		claims["environment"], claims["environment_action"], claims["deployment_tier"] = place.Name, place.Action, place.Tier
		claims["environment_protected"] = strconv.FormatBool(guarded)
	}
	return claims, err
}
