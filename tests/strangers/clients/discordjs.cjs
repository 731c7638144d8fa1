// A bot by @discordjs/ws: `node discordjs.cjs API_URL TOKEN none|identify|zlib|zstd`; it reports on stdout, and ends
// with its stdin.
'use strict';

const { REST } = require('@discordjs/rest');

const [url, token, transport] = process.argv.slice(2);

// zstd-stream is in the next major version only, of which there are development releases.
const ws = require(transport === 'zstd' ? '@discordjs/ws-next' : '@discordjs/ws');

const compression = { zlib: 'ZlibNative', zstd: 'ZstdNative' }[transport];

// The version is a part of the address we are given; the library adds it by itself.
const rest = new REST({ version: '10', api: url.replace(/\/v10$/, '') }).setToken(token);

const manager = new ws.WebSocketManager({
  token,
  intents: 53608447,
  compression: compression ? ws.CompressionMethod[compression] : null,
  useIdentifyCompression: transport === 'identify',
  rest,
  fetchGatewayInformation: () => rest.get('/gateway/bot'),
});

function report(what, details) {
  process.stdout.write(`${JSON.stringify({ what, ...details })}\n`);
}

// The shard comes last; the next major version no longer wraps what comes before it.
manager.on('ready', (data, shard) => {
  report('ready', { shard, guilds: Object.fromEntries(data.guilds.map((guild) => [guild.id, null])) });
});
manager.on('resumed', (shard) => report('resumed', { shard }));
manager.on('dispatch', (payload, shard) => {
  if (payload.t === 'GUILD_CREATE') {
    // Who is in a voice channel may be listed twice.
    const members = new Set(payload.d.members.map((member) => member.user.id));
    report('guild', { shard, id: payload.d.id, members: members.size });
  }
  if (payload.t === 'MESSAGE_CREATE') report('message', { shard, id: payload.d.id, content: payload.d.content });
  report('dispatch', { name: payload.t, d: payload.d });
});
for (const name of ['debug', 'error', 'socketError', 'closed']) {
  manager.on(name, (said, shard) => console.error(`shard ${shard} ${name}: ${said?.stack ?? said}`));
}

process.stdin.resume();
process.stdin.on('end', async () => {
  await manager.destroy();
  // undici keeps its connections open; nothing is left to be done by them.
  process.exit(0);
});

manager.connect().catch((error) => {
  console.error(error);
  process.exit(1);
});
