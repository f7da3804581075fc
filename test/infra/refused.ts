// Parameters that a deployment refuses at once, before it makes anything, and what it says of them.

interface Refused {
  /** Beside a name and a region, which may be among them; as Bicep writes them. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly says: string;
}

const name = (text: string): Refused => ({
  parameters: { environmentName: `'${text}'` },
  says: `environmentName must be 2 to 16 letters, digits and dashes, because it is part of every name: '${text}' is not`,
});

export const refused: readonly Refused[] = [
  // azd takes all of these.
  ...["p", "seventeen-letters", "my_env", "my.env", "my(env)", "my env"].map(name),
  {
    parameters: { applicationName: "'thirteen-char'" },
    says: "applicationName must be 2 to 12 letters, digits and dashes, because it is part of every name: 'thirteen-char' is not",
  },
  {
    parameters: { authentication: "'jwt'", jwtIssuer: "'i'", jwtAudience: "'a'", jwtJwksUrl: "'http://login.example'" },
    says: "With authentication jwt, jwtIssuer, jwtAudience and jwtJwksUrl (https) are needed",
  },
  {
    parameters: { authentication: "'jwt'", jwtIssuer: "'i'", jwtJwksUrl: "'https://login.example'" },
    says: "With authentication jwt, jwtIssuer, jwtAudience and jwtJwksUrl (https) are needed",
  },
  {
    parameters: { natGateway: "true" },
    says: "natGateway is the way out of a network of its own: set privateNetwork as well",
  },
  {
    parameters: { alwaysReadyInstances: "5", maximumInstanceCount: "4" },
    says: "alwaysReadyInstances (5) is more than maximumInstanceCount (4)",
  },
  {
    parameters: { zoneRedundant: "true", alwaysReadyInstances: "1" },
    says: "With zoneRedundant, alwaysReadyInstances is 0 (Azure keeps two by itself) or at least 2: one instance is in one zone",
  },
  {
    parameters: { zoneRedundant: "true", maximumInstanceCount: "1" },
    says: "With zoneRedundant, maximumInstanceCount is at least 2: one instance is in one zone",
  },
  ...["Standard_LRS", "Standard_GRS", "Standard_RAGRS"].map((redundancy) => ({
    parameters: { zoneRedundant: "true", storageRedundancy: `'${redundancy}'` },
    says: `With zoneRedundant, storageRedundancy must be in several zones (Standard_ZRS, Standard_GZRS, Standard_RAGZRS): ${redundancy} is not`,
  })),
  {
    // All of what is wrong is said at once.
    parameters: { environmentName: "'my_env'", natGateway: "true" },
    says: "'my_env' is not; natGateway is the way out of a network of its own",
  },
];
