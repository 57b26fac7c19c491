// SPDX-License-Identifier: Apache-2.0
// Defects of published controllers that only a plugin can have. The others are named tests next to what they
// belong to: 2, 4, 7 (life cycle), 6, 10 (arm model), 1 (parameters), the rest in hilserl_control.
#include <atomic>
#include <thread>

#include "hilserl_controllers/profile_changes.hpp"
#include "hilserl_controllers/target_inbox.hpp"
#include "impedance_fixture.hpp"

namespace hilserl_controllers::testing {
namespace {

/// Spins a node in a thread of its own.
class Spinning {
 public:
  explicit Spinning(const rclcpp::node_interfaces::NodeBaseInterface::SharedPtr& node) {
    executor_.add_node(node);
    thread_ = std::thread([this] { executor_.spin(); });
  }
  ~Spinning() {
    executor_.cancel();
    thread_.join();
  }

 private:
  rclcpp::executors::SingleThreadedExecutor executor_;
  std::thread thread_;
};

/// Runs `work` again and again in a thread of its own.
class Repeating {
 public:
  template <typename Work>
  explicit Repeating(const Work& work) {
    thread_ = std::thread([this, work] {
      for (int i = 1; !stop_; ++i) work(i);
    });
  }
  ~Repeating() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Defect 11 of the references: robot_description comes from a blocking call to robot_state_publisher.
TEST_F(ImpedanceTest, Defect11DescriptionIsTheControllerManagersAndNoOtherNodeIsAsked) {
  auto publisher = std::make_shared<rclcpp::Node>("robot_state_publisher");
  publisher->declare_parameter("robot_description", "<robot");
  const Spinning spinning(publisher->get_node_base_interface());
  init();
  EXPECT_TRUE(arm_->configure()) << "the manager's description is good, the other node's is not";
  publisher->set_parameter({"robot_description", arm_description()});
  init({}, "");
  EXPECT_FALSE(arm_->configure()) << "the manager has none, the other node's is good";
}

// Defect 12 of the references: fields of one command written one by one, or flag and value apart.
TEST(Defect12, TakenTargetIsOfOneMessage) {
  auto node = std::make_shared<rclcpp_lifecycle::LifecycleNode>("inbox");
  TargetInbox inbox(*node, {"base", "tcp", 0.5, 0.2, 0.2});
  inbox.open();
  const Spinning spinning(node->get_node_base_interface());
  auto peer = std::make_shared<rclcpp::Node>("sender");
  auto publisher = peer->create_publisher<CartesianTarget>("inbox/target", rclcpp::QoS(1).reliable());
  const Repeating sending([&publisher](int i) {
    CartesianTarget target;
    target.header.frame_id = "base";
    target.mode = CartesianTarget::MODE_POSE_AND_WRENCH;
    target.pose.position.x = target.pose.position.y = target.pose.position.z = i;
    target.wrench.force.x = target.wrench.force.y = target.wrench.force.z = i;
    target.wrench.torque.x = target.wrench.torque.y = target.wrench.torque.z = i;
    publisher->publish(target);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  });
  std::uint64_t last = 0;
  int taken = 0;
  for (long tries = 0; taken < 500 && tries < 100'000'000; ++tries) {
    const auto received = inbox.take();
    if (!received) continue;
    ++taken;
    EXPECT_GT(received->number, last);
    last = received->number;
    const double number = received->target.pose.position[0];
    EXPECT_TRUE((received->target.pose.position.array() == number).all());
    ASSERT_TRUE((received->target.wrench.array() == number).all())
        << "pose of message " << number << ", wrench " << received->target.wrench.transpose();
  }
  EXPECT_EQ(taken, 500);
}

/// What the law is given.
struct GivenProfiles {
  hilserl_control::Gains impedance, wrench;
  int count = 0;

  bool set_gains(const hilserl_control::Gains& gains) noexcept {
    impedance = gains;
    return true;
  }
  bool set_wrench_gains(const hilserl_control::Gains& gains) noexcept {
    wrench = gains;
    ++count;
    return true;
  }
};

TEST(Defect12, TakenProfilesAreOfOneChange) {
  auto node = std::make_shared<rclcpp_lifecycle::LifecycleNode>("profiles");
  ProfileChanges changes(*node, [](const std::vector<rclcpp::Parameter>&) { return Profiles{}; });
  const Repeating changing([&changes](int i) {
    Profiles profiles;
    profiles.impedance.stiffness.setConstant(i);
    profiles.impedance.clip_negative.setConstant(i);
    profiles.impedance.clip_positive.setConstant(i);
    profiles.wrench.stiffness.setConstant(i);
    changes.use(profiles);
    std::this_thread::yield();
  });
  GivenProfiles law;
  for (long tries = 0; law.count < 5000 && tries < 100'000'000; ++tries) {
    const int before = law.count;
    changes.hand_to(law);
    if (law.count == before) continue;
    const double number = law.impedance.stiffness[0];
    ASSERT_TRUE((law.impedance.clip_negative.array() == number).all());
    ASSERT_TRUE((law.impedance.clip_positive.array() == number).all());
    ASSERT_TRUE((law.wrench.stiffness.array() == number).all());
  }
  EXPECT_EQ(law.count, 5000);
}

}  // namespace
}  // namespace hilserl_controllers::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleMock(&argc, argv);
  rclcpp::init(argc, argv);
  const int result = RUN_ALL_TESTS();
  rclcpp::shutdown();
  return result;
}
