// Socket.IO on Node with its defaults: the ws package, no compression.
import { createServer } from "node:http";
import jwt from "jsonwebtoken";
import { Server } from "socket.io";
import { attach } from "./handlers.mjs";

const http = createServer();
attach(new Server(http), (token, secret) => jwt.verify(token, secret, { algorithms: ["HS256"] }), process.env.BENCH_SECRET);
http.listen(Number(process.env.BENCH_PORT), "127.0.0.1");
