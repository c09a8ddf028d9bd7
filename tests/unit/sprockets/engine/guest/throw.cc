// Exceptions, virtual calls, containers and streams of C++.
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/sprockets/engine/guest/guest.h"

namespace
{

struct Shape {
    virtual ~Shape() = default;
    virtual int corners() const = 0;
};

struct Triangle : Shape {
    int corners() const override
    {
        return 3;
    }
};

struct Square : Shape {
    int corners() const override
    {
        return 4;
    }
};

struct Counter {
    explicit Counter(uint64_t &of) : count(of)
    {
    }
    ~Counter()
    {
        count++;
    }
    uint64_t &count;
};

int dig(int depth, uint64_t &unwound)
{
    Counter counter(unwound);
    std::string text(static_cast<size_t>(depth) + 20, 'x');
    if (depth == 0)
        throw std::runtime_error("dug " + text);
    return dig(depth - 1, unwound) + static_cast<int>(text.size());
}

} // namespace

extern "C" GUEST(throw_and_catch)
{
    uint64_t unwound = 0;
    std::string all;
    for (uint64_t i = 0; i < first; i++) {
        try {
            dig(static_cast<int>(i % 12), unwound);
        } catch (const std::exception &e) {
            all += e.what();
        }
        try {
            if (i % 2)
                throw static_cast<int>(i);
            all.at(all.size() + i);
        } catch (int value) {
            unwound += static_cast<uint64_t>(value);
        } catch (const std::out_of_range &) {
            unwound += 100;
        }
    }
    std::memcpy(area, all.data(), all.size());
    return unwound;
}

extern "C" GUEST(use_containers)
{
    std::map<std::string, std::vector<int>> map;
    std::ostringstream stream;
    std::vector<std::unique_ptr<Shape>> shapes;
    uint64_t corners = 0;
    for (int i = 0; i < 300; i++) {
        map["key " + std::to_string(i % 17)].push_back(i * i);
        if (i % 3)
            shapes.emplace_back(new Triangle);
        else
            shapes.emplace_back(new Square);
    }
    for (const auto &shape : shapes)
        corners += static_cast<uint64_t>(shape->corners());
    for (const auto &pair : map)
        stream << pair.first << ": " << pair.second.size() << ", " << pair.second.back() / 3.0
               << "\n";
    std::string text = stream.str();
    std::memcpy(area, text.data(), text.size());
    return corners;
}

extern "C" GUEST(throw_out)
{
    throw std::logic_error("nobody catches this");
}
