// throw: three std::threads each throw and catch, the main thread rethrows.
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace shop {

struct Refused : std::runtime_error {
	int code;
	Refused(int code) : std::runtime_error("refused"), code(code) {}
};

class Counter {
	std::map<std::string, int> names;

public:
	virtual ~Counter() = default;
	virtual int add(const std::string &name)
	{
		return ++names[name];
	}
	int total() const
	{
		int sum = 0;
		for (auto &entry : names)
			sum += entry.second;
		return sum;
	}
};

int refuse(int code)
{
	throw Refused(code);
}

} // namespace shop

int main()
{
	shop::Counter counter;
	int caught[3] = {};
	std::vector<std::thread> threads;
	for (int i = 0; i < 3; i++)
		threads.emplace_back([i, &caught] {
			try {
				shop::refuse(i + 1);
			} catch (const shop::Refused &refused) {
				caught[i] = refused.code;
			}
		});
	for (auto &thread : threads)
		thread.join();
	for (int code : caught)
		counter.add("code " + std::to_string(code));
	try {
		shop::refuse(9);
	} catch (const std::exception &e) {
		std::cout << e.what() << " total " << counter.total() << std::endl;
	}
	return caught[0] + caught[1] + caught[2];
}
