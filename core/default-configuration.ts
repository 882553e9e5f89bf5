/** What runs when there is no plugins.json: the URL cache with its defaults. */
export const DEFAULT_CONFIGURATION = {
  core: {},
  plugins: { 'url-cache': { use: '@peerage/url-cache', enabled: true } },
};
