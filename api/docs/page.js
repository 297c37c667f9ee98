// Everything comes from this server, and nothing is told to any other: no fonts, no telemetry, no assistant, no proxy.
Scalar.createApiReference("#reference", {
  sources: [
    { title: "REST", slug: "rest", url: "/docs/openapi.json" },
    { title: "Events", slug: "events", url: "/docs/asyncapi.json" },
  ],
  withDefaultFonts: false,
  telemetry: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true, // which would leave for another site
  showDeveloperTools: "never",
  documentDownloadType: "none", // the documents here have been worked over; the real ones are linked
  persistAuth: false, // a token that was typed in lasts as long as the page
  orderSchemaPropertiesBy: "preserve",
  defaultOpenAllTags: true,
});
