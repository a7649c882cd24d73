// An OpenID provider for the tests: oidc-provider (MIT) on a port of 127.0.0.1. What it shall be like comes as JSON in OIDC.
import Provider from 'oidc-provider';

const wanted = JSON.parse(process.env.OIDC);
const native = {
  token_endpoint_auth_method: 'none',
  application_type: 'native',
  response_types: ['code'],
  redirect_uris: ['http://127.0.0.1/callback', 'http://localhost/callback', 'http://[::1]/callback'],
  grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token', 'authorization_code'],
  scope: 'openid offline_access email mail',
};
const provider = new Provider(wanted.issuer, {
  clients: [
    { client_id: wanted.client, client_name: 'tests', ...native },
    { client_id: wanted.server, client_secret: wanted.secret, grant_types: [], response_types: [], redirect_uris: [] },
  ],
  features: {
    deviceFlow: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    devInteractions: { enabled: true },
  },
  ttl: {
    AccessToken: wanted.access_s, DeviceCode: wanted.device_s, RefreshToken: wanted.refresh_s, AuthorizationCode: 60,
    Session: 3600, Grant: 3600, Interaction: 3600, IdToken: 60,
  },
  scopes: ['openid', 'offline_access', 'email', 'mail'],
  claims: { openid: ['sub'], email: ['email'] },
  pkce: { required: () => true },
  rotateRefreshToken: () => wanted.rotate,
  issueRefreshToken: async () => true,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: id }) }),
  cookies: { keys: ['tests'] },
});
const seen = [];
provider.use(async (ctx, next) => {
  if (ctx.path === '/seen') { ctx.body = seen; return; }
  await next();
  const route = ctx.oidc?.route;
  if (route) seen.push({ route, status: ctx.status, grant: ctx.oidc.params?.grant_type, error: ctx.body?.error });
  // A mail server asks whose token it is, and wants a user name (RFC 7662).
  if (route === 'introspection' && ctx.body?.active) ctx.body.username = ctx.body.sub;
});
provider.listen(wanted.port, '127.0.0.1');
