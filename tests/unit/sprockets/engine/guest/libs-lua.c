/* Lua: closures, formats, patterns, sorting, coroutines, and errors, which are long jumps. */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "tests/unit/sprockets/engine/guest/guest.h"

static const char SCRIPT[] =
    "local out = {}\n"
    "local function say(...) out[#out + 1] = string.format(...) end\n"
    "local function counter() local n = 0 return function() n = n + 1 return n end end\n"
    "local a, b = counter(), counter()\n"
    "for i = 1, 100 do a() if i % 3 == 0 then b() end end\n"
    "say('%d %d %5.3f %q %s', a(), b(), 10 / 3, 'a\\nb', tostring(nil))\n"
    "for i = 1, 20 do\n"
    "  local ok, message = pcall(function() if i % 2 == 0 then error('odd ' .. i) end return "
    "{}.x.y end)\n"
    "  say('%s %s', ok, message)\n"
    "end\n"
    "local list = {}\n"
    "for i = 1, 500 do list[i] = (i * 7919) % 503 end\n"
    "table.sort(list, function(x, y) return x > y end)\n"
    "say('%s', table.concat(list, ',', 1, 40))\n"
    "for word, number in ('one=1, two=22, three=333'):gmatch('(%w+)=(%d+)') do say('%s:%d', word, "
    "number) end\n"
    "local co = coroutine.create(function(x) for i = 1, 5 do x = x + coroutine.yield(x * i) end "
    "error('end') end)\n"
    "for i = 1, 7 do say('%s %s', coroutine.resume(co, i)) end\n"
    "local object = setmetatable({}, {__index = function(_, k) return k .. '!' end, __call = "
    "function(_, v) return v * 2 end})\n"
    "say('%s %d', object.name, object(21))\n"
    "say('%s', ('hello'):rep(3, '-'):upper():reverse():gsub('L', 'l'))\n"
    "say('%d %d %g', 1 << 40, 7 // 2, 2 ^ 0.5)\n"
    "local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end\n"
    "say('%d', deep(5000))\n"
    "say('%s', pcall(deep, 1e7))\n"
    "collectgarbage()\n"
    "return table.concat(out, '\\n')\n";

GUEST(run_script)
{
    lua_State *lua = luaL_newstate();
    if (!lua)
        return 1;
    luaL_openlibs(lua);
    int status = luaL_dostring(lua, SCRIPT);
    const char *text = lua_tostring(lua, -1);
    strcpy(area, text ? text : "none");
    lua_close(lua);
    return (uint64_t)status * 1000000 + strlen(area);
}
